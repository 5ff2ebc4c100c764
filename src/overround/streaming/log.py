"""What the stream tells, in order, kept in bounded memory: a client goes on where it was."""

import asyncio
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from overround.caching.cells import Cell, cells_of
from overround.caching.odds_cache import CachedSnapshot
from overround.records.event import Event
from overround.records.odds import MarketKey
from overround.records.writing import Place

MAX_BYTES: Final = 64 * 2**20
CELLS_IN_PIECE: Final = 500
"""So many are written in two to four milliseconds."""

_CELL_BYTES = 260  # in memory, about
_ITEM_BYTES = 500
_CURSOR = re.compile(r"([0-9a-f]{32})\.(\d{1,19})\.(\d{1,19})", re.ASCII)
_NO_GENERATION = "0" * 32

ResetReason = Literal["unknown_cursor", "too_old", "restarted"]


League = tuple[str, str]
"""Country and tournament."""


class Cursor(msgspec.Struct, frozen=True, order=True):
    """A place in the stream: that of the journal's batch, and within it."""

    generation: str
    seq: int
    index: int

    def __str__(self) -> str:
        """Return the text by which clients name it."""
        return f"{self.generation}.{self.seq}.{self.index}"


def parse_cursor(text: str) -> Cursor | None:
    """Return the place that a client names; None where it is none."""
    found = _CURSOR.fullmatch(text)
    return None if found is None else Cursor(found[1], int(found[2]), int(found[3]))


def league_of(event: Event) -> League:
    """Return an event's country and tournament: tournaments of different countries share names."""
    return event.country, event.tournament


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Markets of one (event, bookmaker) as they are now: `cells`, or of `whole` all or, where given, `keys`.

    `former` is set where they have not moved, but the event has come from that league: a client that follows it too
    knows them.
    """

    sr_id: int
    bookmaker: str
    received_at: datetime
    confirmed_at: datetime
    cells: Sequence[Cell] = ()
    whole: CachedSnapshot | None = None
    keys: Sequence[MarketKey] | None = None
    former: League | None = None

    @property
    def confirms(self) -> bool:
        """Tell whether all that is not told of was seen unchanged."""
        return self.confirmed_at == self.received_at and not self.former

    @property
    def entire(self) -> CachedSnapshot | None:
        """Return the state of which this tells every market, moved or not; None where it tells of some."""
        return self.whole if self.keys is None else None

    def all_keys(self) -> Collection[MarketKey]:
        """Return the markets that this tells of."""
        if self.whole is None:
            return [cell.key for cell in self.cells]
        return self.whole.markets.keys() if self.keys is None else self.keys

    def all_cells(self) -> Sequence[Cell]:
        """Return every market that this tells of."""
        return self.cells if self.whole is None else cells_of(self.whole, self.all_keys())


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an event is, and under which ids bookmakers list it; `former` is the league that it was in."""

    event: Event
    listings: Mapping[str, str]
    former: League | None = None


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """An event has left the cache."""

    event: Event


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one bookmaker that were seen unchanged, and when."""

    bookmaker: str
    times: Mapping[int, datetime]


Item = Moved | Told | Gone | Confirmed


class LogPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Items that follow each other: as many as are sent in one go.

    `first` is the place of the first one; `total` are the bytes of all pieces up to this one, as they are in memory.
    """

    number: int
    first: Cursor
    items: tuple[Item, ...]
    bytes: int
    total: int

    @property
    def last(self) -> Cursor:
        """Return the place of the last item."""
        return msgspec.structs.replace(self.first, index=self.first.index + len(self.items) - 1)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on: behind the piece `number`, with what is after `cursor`; `total` as of that piece."""

    number: int
    total: int
    cursor: Cursor


class StreamLog:
    """The newest pieces. `moved` is set, and replaced, whenever something happens."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.moved = asyncio.Event()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._total = 0
        self._number = 0
        self._pieces: deque[LogPiece] = deque()
        self._start = self._floor = self.head = Cursor(_NO_GENERATION, 0, 0)

    @property
    def number(self) -> int:
        """Return the number of the newest piece; 0 before the first."""
        return self._number

    @property
    def bytes(self) -> int:
        """Return the bytes of the pieces that are held."""
        return self._bytes

    @property
    def total(self) -> int:
        """Return the bytes of all pieces since the start, as they are or were in memory."""
        return self._total

    def begin(self, start: Cursor) -> None:
        """Go on from the place at which the journal is; cursors before it are of an earlier process."""
        self._pieces.clear()
        self._bytes = 0
        self._start = self._floor = self.head = start

    def renew(self) -> None:
        """Let no cursor from before be replayed: states came from elsewhere."""
        self.head = self._floor = msgspec.structs.replace(self.head, index=self.head.index + 1)
        self._number += 1
        self._pieces.clear()
        self._bytes = 0
        self._start = self.head
        self.wake()

    def append(self, place: Place, items: Iterable[Item]) -> None:
        """Add what a batch of the journal brought; one that comes late goes behind the newest."""
        for group in _groups(items):
            self._number += 1
            first = self._next(place)
            size = sum(map(_size, group))
            self._bytes += size
            self._total += size
            piece = LogPiece(number=self._number, first=first, items=group, bytes=size, total=self._total)
            self._pieces.append(piece)
            self.head = piece.last
        self._shrink()
        self.wake()

    def skip(self, place: Place) -> None:
        """Note that something happened which nobody listened to: it cannot be told later."""
        self.head = self._floor = self._next(place)
        self._number += 1
        self._pieces.clear()
        self._bytes = 0

    def after(self, number: int, most: int) -> Sequence[LogPiece] | None:
        """Return up to so many of the pieces that follow one; None where some are lost."""
        behind, held = self._number - number, len(self._pieces)
        if behind > held:
            return None
        return [self._pieces[place] for place in range(held - behind, min(held, held - behind + most))]

    def find(self, cursor: Cursor) -> Found | ResetReason:
        """Return where a client that has everything up to a cursor goes on, or why it cannot."""
        if cursor.generation != self.head.generation or cursor < self._start:
            return "restarted"
        if cursor > self.head:
            return "unknown_cursor"
        if cursor < self._floor:
            return "too_old"
        later = [piece for piece in self._pieces if piece.last > cursor]
        total = self._total - sum(piece.bytes for piece in later)
        return Found(number=self._number - len(later), total=total, cursor=cursor)

    def wake(self) -> None:
        """Let whoever waits look again."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    def _next(self, place: Place) -> Cursor:
        generation, seq = place
        if generation.hex != self.head.generation or seq > self.head.seq:
            return Cursor(generation.hex, seq, 1)
        return msgspec.structs.replace(self.head, index=self.head.index + 1)

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes and len(self._pieces) > 1:
            dropped = self._pieces.popleft()
            self._bytes -= dropped.bytes
            self._floor = dropped.last


def _groups(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    group: list[Item] = []
    cells = 0
    for item in items:
        group.append(item)
        cells += _cells(item)
        if cells >= CELLS_IN_PIECE:
            yield tuple(group)
            group, cells = [], 0
    if group:
        yield tuple(group)


def _cells(item: Item) -> int:
    if isinstance(item, Moved):
        return 1 + (len(item.cells) or len(item.all_keys()))
    return 1 + len(item.times) // 4 if isinstance(item, Confirmed) else 1


def _size(item: Item) -> int:
    return _ITEM_BYTES + _CELL_BYTES * _cells(item)
