"""Events in encoded form, kept until a price or a fact of theirs changes.

A fragment is an event's JSON object, open at its end: what is confirmed without a change (who was last heard of,
and when) is put behind it in every answer, and is in no fragment.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import repeat
from typing import Final

import msgspec

from overround.api.event_json import MarketJson, MarketWriter, key_text
from overround.api.gzip_splice import deflated
from overround.caching.odds_cache import CachedSnapshot
from overround.event import Event
from overround.odds import MarketKey
from overround.ports import Clock

MAX_BYTES: Final = 64 * 2**20
_OVERHEAD = 1000  # what an entry takes beside its bytes, its parts and their compressed form, about
_PART_OVERHEAD = 250
_LEVEL = 1
_DIGEST = 12
_AT_A_TIME = 40  # markets, which take some two milliseconds

Snapshots = Mapping[str, CachedSnapshot]
Moved = tuple[datetime, datetime | None, datetime | None, Mapping[MarketKey, datetime]]
State = Moved | None
"""What differs whenever a bookmaker's cells do: `since` and `moved_at`, and what they say of confirmation."""
Version = tuple[State, ...]
Parts = Mapping[MarketKey, MarketJson | None]


class MarketSet(msgspec.Struct, frozen=True):
    """The markets of an answer; `keys` None means all that an event has. `name` tells sets apart."""

    name: str
    keys: tuple[MarketKey, ...] | None


ALL_MARKETS: Final = MarketSet("*", None)


def market_set(keys: Sequence[MarketKey]) -> MarketSet:
    """Return the set of these markets, in this order."""
    return MarketSet(",".join(map(key_text, keys)), tuple(keys))


class Fragment(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An event's bytes up to its markets, what they were made of, and the figures to sort by.

    `offered` counts each bookmaker's markets that are not removed. `margin` is the reference's mean over the
    markets, `gap` its worst; None where there is none.
    """

    event: Event
    version: Version
    parts: Parts
    body: bytes
    digest: bytes
    offered: Mapping[str, int]
    margin: float | None
    gap: float | None

    @cached_property
    def deflated(self) -> bytes:
        """Return the bytes as a part of a gzip body."""
        return deflated(self.body, _LEVEL)


class Fragments:
    """The fragments in use, the least recently used going first beyond a number of bytes."""

    def __init__(self, writer: MarketWriter, max_bytes: int = MAX_BYTES) -> None:
        self._writer = writer
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, str], Fragment] = OrderedDict()

    @property
    def slugs(self) -> tuple[str, ...]:
        """Return the bookmakers that each market has a cell for."""
        return self._writer.slugs

    @property
    def bytes(self) -> int:
        """Return how much memory the fragments take, about."""
        return self._bytes

    def get(self, event: Event, snapshots: Snapshots, markets: MarketSet) -> Fragment:
        """Return an event's fragment as it is now; only what has changed in it is written anew."""
        place = (event.sr_id, markets.name)
        version, known = self._version(snapshots), self._kept.get(place)
        if known is not None and known.version == version and (known.event is event or known.event == event):
            self._kept.move_to_end(place)
            return known
        made = self._made(event, snapshots, markets, version, known)
        self._keep(place, made)
        return made

    async def prepare(self, event: Event, snapshots: Snapshots, markets: MarketSet, clock: Clock) -> None:
        """Write a large event that is not kept, a few markets at a time: others have their turn in between.

        What changes meanwhile, `get` writes anew; it writes small ones too.
        """
        place = (event.sr_id, markets.name)
        keys = () if place in self._kept else self._keys(snapshots, markets)
        if len(keys) <= _AT_A_TIME:
            return
        version = self._version(snapshots)
        parts: dict[MarketKey, MarketJson | None] = {}
        for start in range(0, len(keys), _AT_A_TIME):
            parts.update(self._written(event, snapshots, keys[start : start + _AT_A_TIME]))
            await clock.sleep(0)
        if place not in self._kept:
            self._keep(place, _fragment(event, version, parts, self._offered(snapshots, version, None)))

    def _made(
        self, event: Event, snapshots: Snapshots, markets: MarketSet, version: Version, known: Fragment | None
    ) -> Fragment:
        offered = self._offered(snapshots, version, known)
        reusable = self._reusable(event, snapshots, version, known)
        keys = self._keys(snapshots, markets)
        if known is not None and known.event == event and markets.keys and reusable.keys() >= set(keys):
            return msgspec.structs.replace(known, version=version, offered=offered)
        written = self._written(event, snapshots, [key for key in keys if key not in reusable])
        parts = {key: reusable[key] if key in reusable else written[key] for key in keys}
        return _fragment(event, version, parts, offered)

    def _version(self, snapshots: Snapshots) -> Version:
        return tuple([_state(snapshots.get(slug)) for slug in self._writer.slugs])

    def _keys(self, snapshots: Snapshots, markets: MarketSet) -> Sequence[MarketKey]:
        return self._writer.keys(snapshots) if markets.keys is None else markets.keys

    def _written(self, event: Event, snapshots: Snapshots, keys: Iterable[MarketKey]) -> Parts:
        return {key: self._writer.market(key, snapshots, compared=not event.conflict) for key in keys}

    def _offered(self, snapshots: Snapshots, version: Version, known: Fragment | None) -> Mapping[str, int]:
        """Count each bookmaker's markets; of those who have changed nothing as they were counted before."""
        before: Iterable[State] = repeat(None) if known is None else known.version
        return {
            slug: known.offered[slug] if known is not None and old == new else _count(snapshots[slug])
            for slug, old, new in zip(self._writer.slugs, before, version, strict=False)
            if new is not None
        }

    def _reusable(self, event: Event, snapshots: Snapshots, version: Version, known: Fragment | None) -> Parts:
        """Return the markets of a former fragment that are as they were."""
        if known is None or bool(known.event.conflict) != bool(event.conflict):
            return {}
        changed: set[MarketKey] = set()
        for slug, old, new in zip(self._writer.slugs, known.version, version, strict=True):
            if old == new:
                continue
            moved = None if old is None or new is None else _changed_since(old, new, snapshots[slug])
            if moved is None:
                return {}
            changed.update(moved)
        return {key: part for key, part in known.parts.items() if key not in changed}

    def _keep(self, place: tuple[int, str], made: Fragment) -> None:
        before = self._kept.pop(place, None)
        self._bytes += _size(made) - (0 if before is None else _size(before))
        self._kept[place] = made
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _fragment(event: Event, version: Version, parts: Parts, offered: Mapping[str, int]) -> Fragment:
    found = [part for part in parts.values() if part is not None]
    body = b'%s,"markets":[%s]' % (msgspec.json.encode(event)[:-1], ",".join([one.text for one in found]).encode())
    return Fragment(
        event=event,
        version=version,
        parts=parts,
        body=body,
        digest=hashlib.blake2b(body, digest_size=_DIGEST).digest(),
        offered=offered,
        margin=_mean([one.margin for one in found if one.margin is not None]),
        gap=min((one.gap for one in found if one.gap is not None), default=None),
    )


def _state(cached: CachedSnapshot | None) -> State:
    if cached is None:
        return None
    # After a complete body no cell states a time of confirmation of its own that depends on the event's.
    pinned = None if cached.confirmed_at == cached.received_at else cached.confirmed_at
    return (cached.since, cached.moved_at, pinned, cached.lagging)


def _changed_since(old: Moved, new: Moved, cached: CachedSnapshot) -> Iterable[MarketKey] | None:
    """Return the markets whose cells differ from those of an older state; None where any may."""
    (since, moved_at, *told), (since_now, _, *told_now) = old, new
    if since != since_now or told != told_now:
        return None
    return [key for key, at in cached.changed.items() if moved_at is None or at > moved_at]


def _count(cached: CachedSnapshot) -> int:
    return sum([bool(prices.prices) for prices in cached.markets.values()])


def _mean(known: Sequence[float]) -> float | None:
    return sum(known) / len(known) if known else None


def _size(fragment: Fragment) -> int:
    return len(fragment.body) * 2 + len(fragment.parts) * _PART_OVERHEAD + _OVERHEAD
