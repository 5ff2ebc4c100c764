"""A journal in memory: as durable as the process. For tests, and for measuring what durability costs."""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from overround.errors import JournalFullError, QueueClosedError
from overround.ports import Clock
from overround.records.writing import Generation, JournalEntry, JournalStats


class MemoryJournal:
    """Entries in a deque, bounded in bytes; each instance is a generation of its own. It keeps no tail."""

    def __init__(self, clock: Clock, max_bytes: int) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._id = uuid.uuid4()
        self._entries: deque[tuple[JournalEntry, datetime]] = deque()
        self._waiting: deque[tuple[bytes, asyncio.Future[JournalEntry]]] = deque()
        self._bytes = 0
        self._last_seq = 0
        self._note = b""
        self._released = 0
        self._kept_after: int | None = None
        self._open = False
        self._grown = asyncio.Event()

    @property
    def generation(self) -> uuid.UUID:
        """Return the one generation that there is."""
        return self._id

    def generations(self) -> Sequence[Generation]:
        """Return the one generation that there is."""
        return [Generation(self._id)]

    async def open(self) -> None:
        """Start accepting."""
        self._open = True

    async def close(self) -> None:
        """Stop accepting; readers and waiting appenders are let go, entries are kept until the process ends."""
        self._open = False
        self._grown.set()
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(QueueClosedError())

    async def append(self, body: bytes) -> JournalEntry:
        """Store a batch behind all that were appended before; wait only for room.

        Raises:
            JournalFullError: the batch alone is larger than the journal may be.
            QueueClosedError: the journal is closed.
        """
        if len(body) > self._max_bytes:
            raise JournalFullError
        if not self._open:
            raise QueueClosedError
        if not self._waiting and self._has_room(body):
            return self._store(body)
        turn: asyncio.Future[JournalEntry] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, turn))
        return await turn

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Return up to `limit` entries that follow `after`; wait until there is one, empty once closed."""
        while wait and self._open and not (self._entries and self._entries[-1][0].seq > after):
            self._grown.clear()
            await self._grown.wait()
        if not self._open or not self._entries:
            return []
        start = self._place_of(after)
        return [entry for entry, _ in islice(self._entries, start, start + limit)]

    async def release(self, seq: int) -> None:
        """Forget all entries up to `seq` and let in those who wait, in their order."""
        self._released = max(self._released, seq)
        self._forget()

    async def rewind(self, position: int) -> None:
        """Take back that the entries after a position were released: those that are forgotten are gone."""
        self._released = min(self._released, position)
        self._grown.set()

    async def first_after(self, position: int) -> int | None:
        """Return the position of the first entry behind a position that is still there."""
        return next((entry.position for entry, _ in self._entries if entry.position > position), None)

    async def note(self, text: bytes) -> None:
        """Keep a text as long as the process lives."""
        self._note = text

    async def noted(self) -> bytes:
        """Return the text that was last kept."""
        return self._note

    async def keep(self, after: int | None) -> None:
        """Keep the entries that follow `after` to be read, released or not; None keeps nothing any longer."""
        self._kept_after = after
        self._forget()

    def stats(self) -> JournalStats:
        """Return how much is pending."""
        released = self._place_of(self._released)
        return JournalStats(
            last=self._last_seq,
            pending=len(self._entries) - released,
            pending_bytes=sum(len(entry.body) for entry, _ in islice(self._entries, released, None)),
            bytes=self._bytes,
            oldest_seconds=self._age(released),
            max_bytes=self._max_bytes,
        )

    def _age(self, place: int) -> float:
        if place >= len(self._entries):
            return 0.0
        return max(0.0, (self._clock.now() - self._entries[place][1]).total_seconds())

    def _place_of(self, seq: int) -> int:
        """Return how many of the entries held come up to `seq`."""
        return max(0, min(len(self._entries), seq + 1 - self._entries[0][0].seq)) if self._entries else 0

    def _forget(self) -> None:
        freed = self._released if self._kept_after is None else min(self._released, self._kept_after)
        while self._entries and self._entries[0][0].seq <= freed:
            entry, _ = self._entries.popleft()
            self._bytes -= len(entry.body)
        self._admit_waiting()

    def _has_room(self, body: bytes) -> bool:
        return self._bytes + len(body) <= self._max_bytes

    def _admit_waiting(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._has_room(self._waiting[0][0])):
            body, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._store(body))

    def _store(self, body: bytes) -> JournalEntry:
        self._last_seq += 1
        entry = JournalEntry(generation=self._id, seq=self._last_seq, position=self._last_seq, body=body)
        self._entries.append((entry, self._clock.now()))
        self._bytes += len(body)
        self._grown.set()
        return entry
