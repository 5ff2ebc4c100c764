"""Events in encoded form, kept until a price or a fact of theirs changes; only changed markets are written again.

A fragment is an event's JSON object, open at its end: what is confirmed without a change (who was last heard of,
and when) is put behind it in every answer, and is in no fragment.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import repeat
from math import isnan, nan
from typing import Final

import msgspec

from overround.caching.odds_cache import CachedSnapshot
from overround.gzip_pieces import Piece, compressed, plain
from overround.records.event import Event
from overround.records.odds import MarketKey
from overround.streaming.market_json import MarketJson, MarketWriter, key_text

_LARGE: Final = 32 * 2**10  # bytes
_OVERHEAD = 1000  # what an entry takes beside its bytes and its markets, about
_MARKET_OVERHEAD = 30
_DIGEST = 12

Moved = tuple[datetime, datetime | None, datetime | None, Mapping[MarketKey, datetime], int]
State = Moved | None
"""What differs whenever a bookmaker's cells do: `since` and `moved_at`, and what they say of confirmation."""
Version = tuple[State, ...]
Parts = Mapping[MarketKey, MarketJson]


class Layout(msgspec.Struct, frozen=True):
    """Where each market stands in a body, one comma apart, and its figures: not a number where there is none."""

    start: int
    keys: tuple[MarketKey, ...]
    ends: Sequence[int]
    margins: Sequence[float]
    gaps: Sequence[float]


class Fragment(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An event's bytes up to its markets, what they were made of, and the figures to sort by.

    `kept` are the bytes, compressed where they are many. `offered` counts each bookmaker's markets that are not
    removed. `margin` is the reference's mean over the markets, `gap` its worst; None where there is none.
    """

    event: Event
    version: Version
    layout: Layout
    kept: bytes | Piece
    digest: bytes
    offered: Mapping[str, int]
    margin: float | None
    gap: float | None

    @property
    def body(self) -> bytes:
        """Return the bytes as they are."""
        return plain([self.kept])

    @property
    def length(self) -> int:
        """Return how many bytes there are."""
        return self.kept.length if isinstance(self.kept, Piece) else len(self.kept)

    @cached_property
    def piece(self) -> Piece:
        """Return the bytes as a part of a gzip body."""
        return self.kept if isinstance(self.kept, Piece) else compressed(self.kept)

    @property
    def size(self) -> int:
        """Return how much memory this takes, about; a small one's compressed form included."""
        kept = len(self.kept.deflated) if isinstance(self.kept, Piece) else len(self.kept) * 2
        return kept + len(self.layout.keys) * _MARKET_OVERHEAD + _OVERHEAD

    def parts(self) -> Parts:
        """Return the markets one by one."""
        body, layout = self.body, self.layout
        starts = [layout.start, *[end + 1 for end in layout.ends]]
        figures = zip(layout.margins, layout.gaps, strict=True)
        return {
            key: MarketJson(body[start:end], _known(margin), _known(gap))
            for key, start, end, (margin, gap) in zip(layout.keys, starts, layout.ends, figures, strict=False)
        }


def write_fragment(event: Event, version: Version, parts: Parts, offered: Mapping[str, int]) -> Fragment:
    """Return an event's fragment with these markets."""
    head = b'%s,"markets":[' % msgspec.json.encode(event)[:-1]
    found = parts.values()
    body = b"%s%s]" % (head, b",".join([one.text for one in found]))
    kept = compressed(body) if len(body) > _LARGE else body
    return Fragment(
        event=event,
        version=version,
        layout=_layout(len(head), parts),
        kept=kept,
        digest=hashlib.blake2b(kept.deflated if isinstance(kept, Piece) else kept, digest_size=_DIGEST).digest(),
        offered=offered,
        margin=_mean([one.margin for one in found if one.margin is not None]),
        gap=min((one.gap for one in found if one.gap is not None), default=None),
    )


def _layout(start: int, parts: Parts) -> Layout:
    ends, end = array("I"), start - 1
    for part in parts.values():
        end += 1 + len(part.text)
        ends.append(end)
    margins = _figures(part.margin for part in parts.values())
    return Layout(start, tuple(parts), ends, margins, _figures(part.gap for part in parts.values()))


def _figures(values: Iterable[float | None]) -> Sequence[float]:
    return array("d", [nan if value is None else value for value in values])


def _known(figure: float) -> float | None:
    return None if isnan(figure) else figure


def _mean(known: Sequence[float]) -> float | None:
    return sum(known) / len(known) if known else None


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
