"""One client of the live stream: its backlog, and the next message to send.

A client that keeps up gets the log's pieces as they are, in bytes that it shares with others. What a slow one
has not been sent yet waits in the log, not in a buffer of its own; when that is more than `BUFFER`, only
which markets have moved is kept, and their newest states are sent. While an image is being sent, changes to
what it has already shown are kept in the same way. Each call is one short step without an await.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

import msgspec

from overround.records.odds import MarketKey
from overround.streaming.hub import StreamHub
from overround.streaming.log import (
    Confirmed,
    Cursor,
    Found,
    Item,
    League,
    LogPiece,
    Moved,
    ResetReason,
    Told,
    league_of,
    parse_cursor,
)
from overround.streaming.messages import StreamFilter, StreamWriter, message

CHUNK: Final = 32 * 1024
CELLS_AT_ONCE: Final = 500

Key = tuple[int, str]


class Backlog:
    """What has changed and is to be sent as it is by then: no more than one entry for whatever can change."""

    def __init__(self) -> None:
        self._events: dict[int, League | None] = {}  # and the league it was in
        self._gone: dict[int, None] = {}
        self._moved: dict[Key, dict[MarketKey, None] | None] = {}  # None: all markets
        self._confirmed: dict[str, dict[int, datetime]] = {}

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._events) + len(self._gone) + len(self._moved) + sum(map(len, self._confirmed.values()))

    def take(self, item: Item, wanted: StreamFilter) -> None:
        """Add an item."""
        if isinstance(item, Confirmed):
            self._confirmed.setdefault(item.bookmaker, {}).update(item.times)
        elif isinstance(item, Moved):
            if not wanted.knows(item):
                self._take_moved(item, wanted)
        elif isinstance(item, Told):
            self._events.setdefault(item.event.sr_id, item.former)
        else:
            self._gone[item.event.sr_id] = None
            self.forget(item.event.sr_id)

    def forget(self, sr_id: int) -> None:
        """Drop what is kept of an event's facts and prices."""
        self._events.pop(sr_id, None)
        for key in [key for key in self._moved if key[0] == sr_id]:
            del self._moved[key]
        for times in self._confirmed.values():
            times.pop(sr_id, None)

    def pop(self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter) -> bytes:
        """Take out and write a part of it, as the states are now; what the client does not ask for is dropped."""
        found: list[bytes] = []
        size = cells = 0
        while size < CHUNK and cells < CELLS_AT_ONCE and self:
            text, looked_at = self._pop_one(hub, writer, wanted)
            found.append(text)
            size += len(text)
            cells += 1 + looked_at
        return b"".join(found)

    def _pop_one(self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter) -> tuple[bytes, int]:
        if self._gone:
            sr_id, _ = self._gone.popitem()
            return writer.gone(sr_id), 0
        if self._events:
            sr_id = next(iter(self._events))
            former = self._events.pop(sr_id)
            return self._event(hub, writer, wanted, sr_id, former), 0
        if self._moved:
            (sr_id, slug), keys = next(iter(self._moved.items()))
            del self._moved[sr_id, slug]
            self._confirmed.get(slug, {}).pop(sr_id, None)  # a delta says so too
            if not wanted.has(sr_id, hub.league(sr_id)):
                return b"", 0
            looked_at = len(hub.states(sr_id)[slug].markets) if keys is None and slug in hub.states(sr_id) else 0
            return writer.moved(sr_id, slug, keys, wanted), looked_at or len(keys or ())
        slug, times = self._confirmed.popitem()
        chosen = {key: at for key, at in times.items() if wanted.has(key, hub.league(key))}
        return (writer.confirmed(slug, chosen) if chosen else b""), len(times) // 4

    def _event(
        self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter, sr_id: int, former: League | None
    ) -> bytes:
        facts = hub.facts(sr_id)
        return b"" if facts is None else writer.told(msgspec.structs.replace(facts, former=former), wanted)

    def _take_moved(self, item: Moved, wanted: StreamFilter) -> None:
        key = (item.sr_id, item.bookmaker)
        if item.entire is not None:
            self._moved[key] = None
            return
        chosen = wanted.markets
        cells = [key for key in item.all_keys() if chosen is None or key in chosen]
        known = self._moved.get(key, {})
        if cells and known is not None:
            self._moved[key] = {**known, **dict.fromkeys(cells)}
        elif not cells and item.confirms:
            self._confirmed.setdefault(item.bookmaker, {})[item.sr_id] = item.confirmed_at


BUFFER: Final = 2**20
"""Bytes that a client may be behind, for longer than a moment, before it is given the newest states only."""

AGAIN: Final = b""
"""Nothing to send yet, and more to do."""

_IN_BETWEEN = "~"
"""Behind a cursor: the client has newer states too. Replaying what happened would take it back; it gets states."""

_PIECES_AT_ONCE = 10
_GRACE = 2.0  # seconds: a large batch puts everybody far behind for a moment


class StreamFigures(msgspec.Struct, kw_only=True):
    """Sums over all clients since the start."""

    clients: int = 0
    bytes: int = 0
    conflations: int = 0
    resets: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(get_args(ResetReason), 0))


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A heartbeat to be sent to everybody, by its number."""

    number: int
    bookmakers: Mapping[str, datetime | None]


class StreamClient:
    """Tells what to send next: first what it missed or an image, then what happens."""

    def __init__(self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter, figures: StreamFigures) -> None:
        self._hub = hub
        self._log = hub.log
        self._writer = writer
        self._wanted = wanted
        self._figures = figures
        self._generation = hub.generation
        self._number = hub.log.number
        self._after: Cursor | None = None  # of a piece that it has in part
        self._cursor = hub.log.head  # up to here it has everything, but for an image that is still to come
        self._image: deque[int] | None = None
        self._shown: set[int] = set()  # by the image so far
        self._backlog = Backlog()
        self._conflating = False
        self._announced = False
        self._beat = 0
        self._read = hub.log.total
        self._up_to_date_at = hub.clock.monotonic()
        self._seen = self._sent = 0

    def start(self, cursor: str) -> bytes:
        """Begin, where a client names a cursor behind it if that is possible; return what to send first."""
        if not cursor:
            self._begin_image()
            return AGAIN
        place = parse_cursor(cursor.removesuffix(_IN_BETWEEN))
        found = "unknown_cursor" if place is None else self._log.find(place)
        if not isinstance(found, Found):
            return self._reset(found)
        self._number, self._read = found.number, found.total
        self._cursor = self._after = found.cursor
        if cursor.endswith(_IN_BETWEEN):
            self._conflate()
        return AGAIN

    def next(self, beat: Beat) -> bytes | None:
        """Return what to send, `AGAIN` where there is more to do, or None where there is nothing for now."""
        if self._generation != self._hub.generation:
            return self._reset("restarted")
        if self._beat != beat.number and self._may_beat():
            return self._heartbeat(beat)
        pieces = self._log.after(self._number, _PIECES_AT_ONCE)
        if pieces is None:
            return self._reset("too_old")
        if self._image is not None or self._conflating:
            return self._absorb(pieces) if pieces else self._as_they_are_now(beat)
        if pieces:
            return self._as_it_happened(pieces)
        self._up_to_date_at = self._hub.clock.monotonic()
        return None

    def _may_beat(self) -> bool:
        return self._image is None and (self._number == self._log.number or self._conflating)

    def _heartbeat(self, beat: Beat) -> bytes:
        self._beat = beat.number
        place = self._place()
        facts = {"cursor": place, "now": self._hub.clock.now(), "bookmakers": beat.bookmakers}
        return message("heartbeat", facts, place)

    def _place(self) -> str:
        """Return the cursor of a client that has everything up to it and, while it is given states, more."""
        return f"{self._cursor}{_IN_BETWEEN if self._conflating else ''}"

    def _conflate(self) -> None:
        self._conflating, self._announced = True, False
        self._figures.conflations += 1

    def _is_slow(self) -> bool:
        """Tell whether the client is far behind, going by what it was sent before, and has been so for a while."""
        if self._hub.clock.monotonic() - self._up_to_date_at < _GRACE:
            return False
        return (self._log.total - self._read) * (self._sent + 1) / (self._seen + 1) > BUFFER

    def _as_it_happened(self, pieces: Sequence[LogPiece]) -> bytes:
        """Return what the next pieces tell; not more than one of them is written for the first time."""
        if self._is_slow():
            self._conflate()
            return AGAIN
        texts: list[bytes] = []
        size = 0
        for piece in pieces:
            known = self._writer.known(piece, self._wanted)
            if self._after is not None and self._after >= piece.first:
                text = self._writer.rest(piece, self._wanted, self._after)
            else:
                text = self._writer.piece(piece, self._wanted) if known is None else known
            self._number, self._read, self._cursor, self._after = piece.number, piece.total, piece.last, None
            self._seen += piece.bytes
            self._sent += len(text)
            texts.append(text)
            size += len(text)
            if known is None or size > CHUNK:
                break
        return b"".join(texts)

    def _absorb(self, pieces: Sequence[LogPiece]) -> bytes:
        """Keep of what happened that it did; what an image still to come has anyhow is left out."""
        for piece in pieces:
            for item in piece.items:
                if self._image is None:
                    self._backlog.take(item, self._wanted)
                else:
                    self._take_during_image(item, self._image)
            self._number, self._read = piece.number, piece.total
        return AGAIN

    def _take_during_image(self, item: Item, image: deque[int]) -> None:
        """An event that comes or changes meanwhile is a part of the image: whatever is in none is gone."""
        if isinstance(item, Confirmed):
            times = {key: at for key, at in item.times.items() if key in self._shown}
            self._backlog.take(Confirmed(bookmaker=item.bookmaker, times=times), self._wanted)
            return
        if isinstance(item, Moved):
            if item.sr_id in self._shown:
                self._backlog.take(item, self._wanted)
            return
        event = item.event
        if isinstance(item, Told) and self._wanted.has(event.sr_id, league_of(event)):
            image.append(event.sr_id)
            self._backlog.forget(event.sr_id)
        elif event.sr_id in self._shown:
            self._backlog.take(item, self._wanted)
        self._shown.discard(event.sr_id)

    def _as_they_are_now(self, beat: Beat) -> bytes:
        """Return states: those of an image, then those that have moved meanwhile."""
        if self._image:
            return self._more_of_image(self._image)
        if self._conflating and not self._announced:
            self._announced = True
            facts = {"from": str(self._cursor), "to": str(self._log.head), "states": len(self._backlog)}
            return message("conflated", facts, self._place())
        if self._backlog:
            return self._backlog.pop(self._hub, self._writer, self._wanted)
        return self._up_to_date(beat)

    def _up_to_date(self, beat: Beat) -> bytes:
        """Say up to where the client has everything: it can go on from there."""
        self._cursor, self._after = self._log.head, None
        self._up_to_date_at = self._hub.clock.monotonic()
        if self._conflating:
            self._conflating = False
            return self._heartbeat(beat)
        self._image, shown = None, len(self._shown)
        self._shown.clear()
        facts = {"cursor": str(self._cursor), "events": shown, "now": self._hub.clock.now()}
        return message("image_end", facts, self._place())

    def _more_of_image(self, image: deque[int]) -> bytes:
        texts: list[bytes] = []
        size = cells = 0
        while image and size < CHUNK and cells < CELLS_AT_ONCE:
            sr_id = image.popleft()
            event = self._hub.book.event(sr_id)
            if event is None or sr_id in self._shown:
                continue
            self._shown.add(sr_id)
            texts.append(self._writer.image(event, self._wanted))
            size += len(texts[-1])
            states = self._hub.states(sr_id).values()
            chosen = self._wanted.markets
            cells += sum([len(state.markets) if chosen is None else len(chosen) for state in states])
        return b"".join(texts)

    def _reset(self, reason: ResetReason) -> bytes:
        self._figures.resets[reason] += 1
        self._begin_image()
        return message("reset", {"reason": reason}, "")

    def _begin_image(self) -> None:
        hub, wanted = self._hub, self._wanted
        chosen = [event for event in hub.book.events() if wanted.has(event.sr_id, league_of(event))]
        chosen.sort(key=lambda event: (event.kickoff, event.sr_id))
        self._image = deque(event.sr_id for event in chosen)
        self._shown.clear()
        self._backlog, self._conflating = Backlog(), False
        self._generation = hub.generation
        self._number, self._read, self._after = self._log.number, self._log.total, None
