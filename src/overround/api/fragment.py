"""One event in encoded form with chosen markets, and what it takes to write only what changed of it anew.

A large one is kept compressed: a sixth or less of its size, and unpacked in a tenth of a millisecond. So the events
that somebody looks at find room, whole, where a tenth of them would.
"""

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from math import isnan, nan
from typing import Final

import msgspec

from overround.api.event_json import MarketJson
from overround.event import Event
from overround.gzip_pieces import Piece, compressed, plain
from overround.odds import MarketKey

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
