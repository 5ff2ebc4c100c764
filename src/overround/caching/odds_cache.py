"""The newest state of every (event, bookmaker): what the API, the streams and the page answer from."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from overround.records.odds import MarketKey, MarketPrices

_NO_PRICES: Mapping[MarketKey, tuple[int, ...]] = MappingProxyType({})
_NO_TIMES: Mapping[MarketKey, datetime] = MappingProxyType({})
_Snapshots = Mapping[str, "CachedSnapshot"]


class SnapshotRow(msgspec.Struct, frozen=True, gc=False):
    """The stored snapshot that a confirmation is about: the newest one that changed something.

    `place` is its (epoch, seq) where it was read from the database, which knows them.
    """

    snapshot_id: uuid.UUID
    captured_at: datetime
    place: tuple[int, int] | None = None


class CachedSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one bookmaker's prices for one event.

    Most markets share their times, so only the exceptions are held per market: `changed` where a
    market has not its value since `since`, `own_times` where a market was not last seen with the last complete
    body: it gave no word of the market, or an incomplete one has since. `previous` are the prices before the last
    change, of markets that changed since the service started. Removed markets stay, without outcomes. `accepted` is
    False until the journal has what changed: such an entry counts as changed whatever comes next.
    `moved_at` is when any market last
    changed after the first sight: two entries of one (event, bookmaker) with equal `since` and `moved_at`
    have equal `markets`, `changed` and `previous`. `rewinds` counts the changes that came, by the clock, before the
    change before them: between two states with equal `rewinds` exactly the markets have moved whose `changed` is
    after the older one's `moved_at`, or more. `number` is that of the newest request that the state comes
    from, 0 where it was read from the database or the journal. `seen` are the monotonic seconds of `confirmed_at` in
    this process: the age of the prices counts from there, whatever the wall clock does.
    `row` is what a confirmation of the state confirms.
    """

    received_at: datetime
    confirmed_at: datetime
    since: datetime
    markets: Mapping[MarketKey, MarketPrices]
    changed: Mapping[MarketKey, datetime] = _NO_TIMES
    own_times: Mapping[MarketKey, datetime] = _NO_TIMES
    previous: Mapping[MarketKey, tuple[int, ...]] = _NO_PRICES
    moved_at: datetime | None = None
    rewinds: int = 0
    body_hash: bytes = b""
    number: int = 0
    seen: float = 0.0
    row: SnapshotRow | None = None
    accepted: bool = False

    def market_changed_at(self, key: MarketKey) -> datetime:
        """Return since when a market has its present value."""
        return self.changed.get(key, self.since)

    def market_confirmed_at(self, key: MarketKey) -> datetime:
        """Return when a market was last seen to have its present value."""
        return self.own_times.get(key, self.confirmed_at)


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

    def accept(self, sr_id: int, bookmaker: str, snapshot_id: uuid.UUID) -> None:
        """Note that the journal has the snapshot of that id; a newer state stays as it is."""
        cached = self.get(sr_id, bookmaker)
        if cached is not None and not cached.accepted and cached.row and cached.row.snapshot_id == snapshot_id:
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
