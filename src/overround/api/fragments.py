"""Events in encoded form, kept until a price or a fact of theirs changes.

A fragment is an event's JSON object, open at its end: what is confirmed without a change (who was last heard of,
and when) is put behind it in every answer, and is in no fragment.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

import msgspec

from overround.api.event_json import MarketWriter, key_text
from overround.api.fragment import Fragment, Moved, Parts, State, Version, write_fragment
from overround.caching.odds_cache import CachedSnapshot
from overround.event import Event
from overround.odds import MarketKey

MAX_BYTES: Final = 64 * 2**20
_FILLED = 0.9  # of them, beyond which nothing is added that nobody has asked for
_AT_A_TIME = 40  # markets, which take some two milliseconds

Snapshots = Mapping[str, CachedSnapshot]
Pause = Callable[[], Awaitable[None]]


class MarketSet(msgspec.Struct, frozen=True):
    """The markets of an answer; `keys` None means all that an event has. `name` tells sets apart."""

    name: str
    keys: tuple[MarketKey, ...] | None


ALL_MARKETS: Final = MarketSet("*", None)


def market_set(keys: Sequence[MarketKey]) -> MarketSet:
    """Return the set of these markets, in this order."""
    return MarketSet(",".join(map(key_text, keys)), tuple(keys))


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

    def events(self, markets: MarketSet) -> int:
        """Return of how many events these markets are kept."""
        return sum(name == markets.name for _, name in self._kept)

    def get(self, event: Event, snapshots: Snapshots, markets: MarketSet) -> Fragment:
        """Return an event's fragment as it is now; only what has changed in it is written anew."""
        place = (event.sr_id, markets.name)
        version, known = self._version(snapshots), self._kept.get(place)
        if known is not None and _as_now(known, event, version):
            self._kept.move_to_end(place)
            return known
        made = self._made(event, snapshots, markets, version, known)
        self._keep(place, made)
        return made

    def behind(self, event: Event, snapshots: Snapshots, markets: MarketSet) -> bool:
        """Tell whether what is kept of an event is not as it is now; what is not kept counts while there is room."""
        known = self._kept.get((event.sr_id, markets.name))
        if known is None:
            return self._bytes < self._max_bytes * _FILLED
        return not _as_now(known, event, self._version(snapshots))

    def forget(self, gone: Callable[[int], bool]) -> None:
        """Drop what is kept of events that are gone."""
        for place in [place for place in self._kept if gone(place[0])]:
            self._bytes -= self._kept.pop(place).size

    async def prepare(self, event: Event, snapshots: Snapshots, markets: MarketSet, pause: Pause) -> None:
        """Write an event of which much is to be written, a few markets at a time: others have their turn in a pause.

        What changes meanwhile, `get` writes anew; it writes little things too.
        """
        place = (event.sr_id, markets.name)
        version, known = self._version(snapshots), self._kept.get(place)
        changed = self._changed(event, snapshots, version, known)
        if changed is not None and len(changed) <= _AT_A_TIME:
            return
        keys = self._keys(snapshots, markets)
        parts = dict(_unchanged(known, changed))
        missing = [key for key in keys if key not in parts]
        for start in range(0, len(missing), _AT_A_TIME):
            parts.update(self._written(event, snapshots, missing[start : start + _AT_A_TIME]))
            await pause()
        if self._kept.get(place) is known:
            ordered = {key: parts[key] for key in keys}
            self._keep(place, write_fragment(event, version, ordered, self._offered(snapshots, version, known)))

    def _made(
        self, event: Event, snapshots: Snapshots, markets: MarketSet, version: Version, known: Fragment | None
    ) -> Fragment:
        offered = self._offered(snapshots, version, known)
        changed = self._changed(event, snapshots, version, known)
        keys = self._keys(snapshots, markets)
        if known is not None and known.event == event and changed is not None and changed.isdisjoint(keys):
            return msgspec.structs.replace(known, version=version, offered=offered)
        reusable = _unchanged(known, changed)
        written = self._written(event, snapshots, [key for key in keys if key not in reusable])
        parts = {key: reusable[key] if key in reusable else written[key] for key in keys}
        return write_fragment(event, version, parts, offered)

    def _version(self, snapshots: Snapshots) -> Version:
        return tuple([_state(snapshots.get(slug)) for slug in self._writer.slugs])

    def _keys(self, snapshots: Snapshots, markets: MarketSet) -> Sequence[MarketKey]:
        return self._writer.keys(snapshots) if markets.keys is None else self._writer.known(markets.keys)

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

    def _changed(
        self, event: Event, snapshots: Snapshots, version: Version, known: Fragment | None
    ) -> frozenset[MarketKey] | None:
        """Return the markets that are not as they were in a former fragment; None where any may be another."""
        if known is None or bool(known.event.conflict) != bool(event.conflict):
            return None
        changed: set[MarketKey] = set()
        for slug, old, new in zip(self._writer.slugs, known.version, version, strict=True):
            if old == new:
                continue
            moved = None if old is None or new is None else _changed_since(old, new, snapshots[slug])
            if moved is None:
                return None
            changed.update(moved)
        return frozenset(changed)

    def _keep(self, place: tuple[int, str], made: Fragment) -> None:
        before = self._kept.pop(place, None)
        self._bytes += made.size - (0 if before is None else before.size)
        self._kept[place] = made
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size


def _as_now(known: Fragment, event: Event, version: Version) -> bool:
    return known.version == version and (known.event is event or known.event == event)


def _unchanged(known: Fragment | None, changed: Collection[MarketKey] | None) -> Parts:
    """Return the markets of a former fragment without those that changed; none where any may have."""
    if known is None or changed is None:
        return {}
    return {key: part for key, part in known.parts().items() if key not in changed}


def _state(cached: CachedSnapshot | None) -> State:
    if cached is None:
        return None
    # After a complete body no cell states a time of confirmation of its own that depends on the event's.
    pinned = None if cached.confirmed_at == cached.received_at else cached.confirmed_at
    return (cached.since, cached.moved_at, pinned, cached.own_times, cached.rewinds)


def _changed_since(old: Moved, new: Moved, cached: CachedSnapshot) -> Iterable[MarketKey] | None:
    """Return the markets whose cells differ from those of an older state; None where any may."""
    (since, moved_at, *told), (since_now, _, *told_now) = old, new
    if since != since_now or told != told_now:
        return None
    return [key for key, at in cached.changed.items() if moved_at is None or at > moved_at]


def _count(cached: CachedSnapshot) -> int:
    return sum([bool(prices.prices) for prices in cached.markets.values()])
