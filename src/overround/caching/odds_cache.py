"""The newest state of every (event, bookmaker): what the API, the streams and the page answer from."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from overround.records.odds import MarketKey, MarketPrices

_NO_PRICES: Mapping[MarketKey, tuple[int, ...]] = MappingProxyType({})
_NO_TIMES: Mapping[MarketKey, datetime] = MappingProxyType({})
_Snapshots = Mapping[str, "CachedSnapshot"]


class CachedSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one bookmaker's prices for one event.

    Most markets share their times, so only the exceptions are held per market: `changed` where a
    market has its value since later than `since`, `lagging` where the last complete body gave no
    word of it. `previous` are the prices before the last change, of markets that changed since the
    service started. Removed markets stay, without outcomes. `accepted` is False until the journal has
    what changed: such an entry counts as changed whatever comes next. `moved_at` is when any market last
    changed after the first sight: two entries of one (event, bookmaker) with equal `since` and `moved_at`
    have equal `markets`, `changed` and `previous`.
    """

    received_at: datetime
    confirmed_at: datetime
    since: datetime
    markets: Mapping[MarketKey, MarketPrices]
    changed: Mapping[MarketKey, datetime] = _NO_TIMES
    lagging: Mapping[MarketKey, datetime] = _NO_TIMES
    previous: Mapping[MarketKey, tuple[int, ...]] = _NO_PRICES
    moved_at: datetime | None = None
    body_hash: bytes = b""
    accepted: bool = False

    def market_changed_at(self, key: MarketKey) -> datetime:
        """Return since when a market has its present value."""
        return self.changed.get(key, self.since)

    def market_confirmed_at(self, key: MarketKey) -> datetime:
        """Return when a market was last seen to have its present value."""
        return max(self.lagging.get(key, self.confirmed_at), self.market_changed_at(key))


_NO_SNAPSHOTS: _Snapshots = MappingProxyType({})


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """How much the cache holds."""

    events: int
    snapshots: int
    markets: int
    unaccepted: int


class OddsCache:
    """Snapshots by event and bookmaker; used from the event loop only, so that a method is one step."""

    def __init__(self) -> None:
        self._events: dict[int, _Snapshots] = {}
        self.revision = 0
        """Another number whenever anything has been replaced or forgotten."""

    def get(self, sr_id: int, bookmaker: str) -> CachedSnapshot | None:
        """Return what is known of one bookmaker's prices for an event."""
        return self._events.get(sr_id, _NO_SNAPSHOTS).get(bookmaker)

    def event(self, sr_id: int) -> Mapping[str, CachedSnapshot]:
        """Return an event's snapshots by bookmaker: the same object until one of them is replaced."""
        return self._events.get(sr_id, _NO_SNAPSHOTS)

    def __iter__(self) -> Iterator[tuple[int, str, CachedSnapshot]]:
        """Iterate over (event, bookmaker, snapshot)."""
        for sr_id, snapshots in self._events.items():
            for bookmaker, cached in snapshots.items():
                yield sr_id, bookmaker, cached

    def put(self, sr_id: int, bookmaker: str, cached: CachedSnapshot) -> None:
        """Replace what is known of one (event, bookmaker)."""
        self.revision += 1
        self._events[sr_id] = MappingProxyType({**self.event(sr_id), bookmaker: cached})

    def accept(self, sr_id: int, bookmaker: str, received_at: datetime) -> None:
        """Note that the journal has the state received then; a newer state stays as it is."""
        cached = self.get(sr_id, bookmaker)
        if cached is not None and not cached.accepted and cached.received_at == received_at:
            self.put(sr_id, bookmaker, msgspec.structs.replace(cached, accepted=True))

    def unaccept(self, sr_id: int, bookmaker: str) -> None:
        """Note that the database lacks this state: it will be written again, whole."""
        cached = self.get(sr_id, bookmaker)
        if cached is not None:
            self.put(sr_id, bookmaker, msgspec.structs.replace(cached, accepted=False))

    def unaccept_all(self, bookmaker: str) -> None:
        """Note that the database lacks the states of one bookmaker."""
        for sr_id in [sr_id for sr_id, slug, cached in self if slug == bookmaker and cached.accepted]:
            self.unaccept(sr_id, bookmaker)

    def evict(self, sr_ids: Iterable[int]) -> int:
        """Forget events; return how many were held."""
        self.revision += 1
        return sum(self._events.pop(sr_id, None) is not None for sr_id in sr_ids)

    def stats(self) -> CacheStats:
        """Count what is held."""
        snapshots = [cached for _, _, cached in self]
        return CacheStats(
            events=len(self._events),
            snapshots=len(snapshots),
            markets=sum(len(cached.markets) for cached in snapshots),
            unaccepted=sum(not cached.accepted for cached in snapshots),
        )
