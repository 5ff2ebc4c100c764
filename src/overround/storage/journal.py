"""The durable journal: an append log on local disk, synced before it acknowledges."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

import msgspec
import structlog

from overround.errors import JournalFullError, JournalWriteError, QueueClosedError
from overround.ports import Clock, DiskStorage
from overround.storage.frames import MAX_BODY, frame_bound
from overround.storage.segments import NewEntry, SegmentLog
from overround.writing import JournalEntry, JournalStats

SEGMENT_BYTES = 16 << 20
GROUP_BYTES = 4 << 20  # of batches synced together: a bound on how long the first one waits for the last
_SEGMENTS_AT_LEAST = 8  # so that a small journal frees room in small pieces
_LATENCIES_KEPT = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class _Waiting(msgspec.Struct, frozen=True, eq=False):
    """A batch in line, and who waits for it."""

    entry: NewEntry
    turn: asyncio.Future[JournalEntry]


class SegmentedJournal:
    """A journal of files in one directory; implements the `Journal` port.

    Batches wait in one line. A committer task takes from its head whatever gathered while the
    disk was busy, and has it written and synced together. All disk calls are made in one thread.
    """

    def __init__(
        self,
        disk: DiskStorage,
        clock: Clock,
        *,
        max_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        last_epoch: int = 0,
    ) -> None:
        """Make a journal that takes at most `max_bytes` on disk, and one segment.

        A new one gets an epoch greater than `last_epoch`, the greatest that the database knows.
        """
        self._clock = clock
        self._max_bytes = max_bytes
        epoch = max(last_epoch + 1, _microseconds(clock.now()))
        self._log = SegmentLog(disk, min(segment_bytes, max_bytes // _SEGMENTS_AT_LEAST), uuid.uuid4(), epoch)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-disk")
        self._line: deque[_Waiting] = deque()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._write_error = ""
        self._open = False
        self._grown = asyncio.Event()
        self._wake = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None

    @property
    def journal_id(self) -> uuid.UUID:
        """Return the identity of this journal; settled by `open`."""
        return self._log.journal_id

    async def open(self) -> None:
        """Take ownership, and find what an earlier process left.

        Raises:
            JournalLockedError: another process has it.
            JournalFormatError: it was written by a later release.
            OSError: its directory cannot be used at all.
        """
        began = self._clock.monotonic()
        await self._in_thread(self._log.open)
        self._open = True
        self._committer = asyncio.create_task(self._work(), name="journal-committer")
        self._committer.add_done_callback(_report_death)
        state = self._log.state
        _log.info(
            "journal_opened",
            open_ms=round((self._clock.monotonic() - began) * 1000, 1),
            epoch=self._log.epoch,
            pending=state.pending,
            bytes=state.bytes,
            damaged_frames=state.damaged_frames,
        )

    async def close(self) -> None:
        """Finish the group that is being written, let go who waits otherwise, give up ownership."""
        self._open = False
        self._wake.set()
        self._grown.set()
        if self._committer is not None:
            await asyncio.wait([self._committer])
            self._committer = None
            await self._in_thread(self._log.close)
        self._thread.shutdown()

    async def append(self, body: bytes) -> JournalEntry:
        """Store a batch behind all that were appended before; it is synced when this returns.

        Raises:
            JournalFullError: the batch alone is larger than the journal may be.
            JournalWriteError: the disk refused it; the batch is not in, the next append tries again.
            QueueClosedError: the journal is closed.
        """
        if len(body) > min(self._max_bytes, MAX_BODY):
            raise JournalFullError
        if not self._open:
            raise QueueClosedError
        began = self._clock.monotonic()
        turn: asyncio.Future[JournalEntry] = asyncio.get_running_loop().create_future()
        self._line.append(_Waiting(NewEntry(body, _microseconds(self._clock.now())), turn))
        self._wake.set()
        try:
            entry = await turn
        except asyncio.CancelledError:
            self._wake.set()  # a smaller one behind may fit
            raise
        self._latencies.append((self._clock.monotonic() - began) * 1000)
        return entry

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Return entries that follow `after`; wait until there is one unless told not to, empty once closed."""
        while self._open:
            if self._log.state.newest > after:
                entries = await self._in_thread(self._log.read, after, limit)
                if entries:
                    return entries
            elif wait:
                self._grown.clear()
                await self._grown.wait()
            else:
                break
        return []

    async def release(self, seq: int) -> None:
        """Forget all entries up to `seq`, and let in those who wait for room."""
        if self._open:
            await self._in_thread(self._log.release, seq)
            self._wake.set()

    async def advance(self, seq: int) -> None:
        """Release up to the database's watermark, and give out only greater seqs from now on."""
        if self._open:
            await self._in_thread(self._log.advance, seq)
            self._wake.set()

    async def keep(self, after: int | None) -> None:
        """Keep the entries that follow `after` to be read, released or not; None keeps nothing any longer."""
        if self._open:
            await self._in_thread(self._log.keep, after)
            self._wake.set()

    def stats(self) -> JournalStats:
        """Return how much is pending, what was found damaged, and how long the latest appends took."""
        state = self._log.state
        latencies = sorted(self._latencies)
        return JournalStats(
            epoch=self._log.epoch,
            last_seq=state.last_seq,
            pending=state.pending,
            pending_bytes=state.pending_bytes,
            bytes=state.bytes,
            oldest_at=None if state.oldest_at is None else _EPOCH + state.oldest_at * _MICROSECOND,
            max_bytes=self._max_bytes,
            damaged_frames=state.damaged_frames,
            damaged_bytes=state.damaged_bytes,
            append_p50_ms=_quantile(latencies, 50),
            append_p99_ms=_quantile(latencies, 99),
            write_error=self._write_error,
        )

    async def _in_thread(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        del kwargs
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def _work(self) -> None:
        try:
            while self._open:
                group = self._next_group()
                if group:
                    await self._commit(group)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            self._open = False
            _refuse(self._line, QueueClosedError())
            self._grown.set()

    def _next_group(self) -> list[_Waiting]:
        """Take from the head of the line what fits; with nothing pending, one batch always does."""
        state = self._log.state
        room, size = self._max_bytes - state.bytes, 0
        group: list[_Waiting] = []
        while self._line and size < GROUP_BYTES:
            head = self._line[0]
            size += 0 if head.turn.done() else frame_bound(len(head.entry.body))
            if size > room and (group or state.pending) and not head.turn.done():
                break
            self._line.popleft()
            if not head.turn.done():
                group.append(head)
        return group

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            first = await self._in_thread(self._log.commit, [waiting.entry for waiting in group])
        except JournalWriteError as error:
            if not self._write_error:
                _log.error("journal_write_failed", file=error.file, errno=error.errno, error=str(error))
            self._write_error = str(error)
            _refuse(group, error)
        else:
            if self._write_error:
                _log.info("journal_write_resumed")
            self._write_error = ""
            for seq, waiting in enumerate(group, first):
                if not waiting.turn.done():
                    waiting.turn.set_result(JournalEntry(epoch=self._log.epoch, seq=seq, body=waiting.entry.body))
            self._grown.set()
        finally:
            _refuse(group, QueueClosedError())  # nobody is left, unless the commit failed as it never should


def _refuse(line: Sequence[_Waiting] | deque[_Waiting], error: Exception) -> None:
    for waiting in line:
        if not waiting.turn.done():
            waiting.turn.set_exception(error)


def _quantile(ordered: Sequence[float], percent: int) -> float:
    return round(ordered[(len(ordered) - 1) * percent // 100], 3) if ordered else 0.0


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _report_death(committer: asyncio.Task[None]) -> None:
    if not committer.cancelled() and (error := committer.exception()) is not None:
        _log.error("journal_committer_died", error=repr(error), exc_info=error)
