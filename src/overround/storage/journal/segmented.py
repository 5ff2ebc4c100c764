"""The durable journal: an append log on local disk, synced before it acknowledges."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

import msgspec
import structlog

from overround.errors import JournalFullError, JournalUnreadableError, JournalWriteError, QueueClosedError
from overround.ports import Clock, DiskStorage
from overround.records.writing import Generation, JournalEntry, JournalStats
from overround.storage.journal.frames import MAX_BODY, frame_bound
from overround.storage.journal.segments import NewEntry, SegmentLog, Tail

SEGMENT_BYTES = 16 << 20
_LARGEST_SEGMENT = 64 << 20
_SEGMENTS_AT_MOST = 64  # as long as they are not larger than that: each one takes a file descriptor
GROUP_BYTES = 4 << 20  # of batches synced together: a bound on how long the first one waits for the last
_SEGMENTS_AT_LEAST = 8  # so that a small journal frees room in small pieces
_LATENCIES_KEPT = 1024
_TRIES_TO_OPEN = 3
_PAUSE = 0.3  # seconds before another try to open or to read
_TENDED_EVERY = 2.0  # seconds: how long a file may be gone unnoticed while nothing is appended
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

    Batches wait in one line. What gathered at its head while the disk was busy is written and synced
    together. All disk calls are made in one thread. An append costs as few turns of a busy event loop
    as there can be: the first one hands its batch to the thread itself, and the thread's answer is
    what wakes those who wait.
    """

    def __init__(
        self,
        disk: DiskStorage,
        clock: Clock,
        *,
        max_bytes: int,
        segment_bytes: int | None = None,
        tail: Tail = Tail(),  # noqa: B008 - frozen
    ) -> None:
        """Make a journal that takes at most `max_bytes` on disk, and one segment.

        What the database has is kept as a `tail` meanwhile, as far as there is room.
        """
        self._disk = disk
        self._clock = clock
        self._max_bytes = max_bytes
        size = min(segment_bytes or _segment_bytes(max_bytes), max_bytes // _SEGMENTS_AT_LEAST)
        self._log = SegmentLog(disk, size, uuid.uuid4(), max_bytes=max_bytes, tail=tail, monotonic=clock.monotonic)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-disk")
        self._line: deque[_Waiting] = deque()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._write_error = self._restore_error = self._read_error = ""
        self._restored_files = 0
        self._restored_at: datetime | None = None
        self._tending: asyncio.Task[None] | None = None
        self._open = self._owned = False
        self._grown = asyncio.Event()
        self._committing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def generation(self) -> uuid.UUID:
        """Return the generation that this opening is."""
        return self._log.generation.id

    def generations(self) -> Sequence[Generation]:
        """Return the generations of which there are files, oldest first; this one comes last."""
        return self._log.state.generations

    async def open(self) -> None:
        """Take ownership, and find what an earlier process left.

        Raises:
            JournalLockedError: another process has it.
            JournalFormatError: it was written by a later release.
            JournalUnreadableError: the system does not let us read it.
            DamagedFilesError: it is damaged, and there is no more room for damaged files.
        """
        began = self._clock.monotonic()
        await self._open_log()
        self._open = self._owned = True
        self._tending = asyncio.create_task(self._tend(), name="journal-tending")
        state = self._log.state
        _log.info(
            "journal_opened",
            open_ms=round((self._clock.monotonic() - began) * 1000, 1),
            generation=str(self._log.generation.id),
            pending=state.pending,
            bytes=state.bytes,
            damaged_frames=state.damaged_frames,
        )

    async def close(self) -> None:
        """Finish the group that is being written, let go who waits otherwise, give up ownership."""
        self._open = False
        self._grown.set()
        await self._idle.wait()
        _refuse(self._line, QueueClosedError())
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        if self._owned:
            self._owned = False
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
        self._commit_next()
        try:
            entry = await turn
        except asyncio.CancelledError:
            self._commit_next()  # a smaller one behind may fit
            raise
        self._latencies.append((self._clock.monotonic() - began) * 1000)
        return entry

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Return entries that follow `after`; wait until there is one unless told not to, empty once closed.

        Where the system does not let us read, it waits until it does.
        """
        while self._open:
            if self._log.state.newest > after:
                entries = await self._read(after, limit)
                if entries:
                    return entries
            elif wait:
                self._grown.clear()
                await self._grown.wait()
            else:
                break
        return []

    async def release(self, position: int) -> None:
        """Forget all entries up to a position, and let in those who wait for room."""
        if self._open:
            await self._in_thread(self._log.release, position)
            self._commit_next()

    async def rewind(self, position: int) -> None:
        """Take back that the entries after a position were released, as far as they are still there."""
        if self._open:
            await self._in_thread(self._log.rewind, position)
            self._grown.set()

    async def first_after(self, position: int) -> int | None:
        """Return the position of the first entry behind a position that is still there, released or not."""
        return await self._in_thread(self._log.first_after, position) if self._open else None

    async def note(self, text: bytes) -> None:
        """Keep a small text beside the entries in place of the one before; a failure is logged and no harm."""
        try:
            await self._in_thread(self._disk.note, text)
        except OSError as error:
            _log.warning("journal_note_refused", errno=error.errno, error=str(error))

    async def noted(self) -> bytes:
        """Return the text that was last kept; empty where there is none, or none can be read."""
        try:
            return await self._in_thread(self._disk.noted)
        except OSError as error:
            _log.warning("journal_note_unreadable", errno=error.errno, error=str(error))
            return b""

    async def keep(self, after: int | None) -> None:
        """Keep the entries that follow `after` to be read, released or not; None keeps nothing any longer."""
        if self._open:
            await self._in_thread(self._log.keep, after)
            self._commit_next()

    def stats(self) -> JournalStats:
        """Return how much is pending, what was found damaged, and how long the latest appends took."""
        state = self._log.state
        latencies = sorted(self._latencies)
        return JournalStats(
            last=state.last_seq,
            pending=state.pending,
            pending_bytes=state.pending_bytes,
            bytes=state.bytes,
            oldest_seconds=self._age(state.oldest_at),
            max_bytes=self._max_bytes,
            damaged_frames=state.damaged_frames,
            damaged_bytes=state.damaged_bytes,
            append_p50_ms=_quantile(latencies, 50),
            append_p99_ms=_quantile(latencies, 99),
            write_error=self._write_error or self._restore_error,
            read_error=self._read_error,
            damaged_files=state.damaged_files.files,
            damaged_file_bytes=state.damaged_files.bytes,
            restored_files=state.restored_files,
            restored_at=self._restored_at,
        )

    async def _open_log(self) -> None:
        for tries_left in reversed(range(_TRIES_TO_OPEN)):
            try:
                return await self._in_thread(self._log.open)
            except OSError as error:
                if not tries_left:
                    raise JournalUnreadableError(str(error.filename or "its directory"), error) from error
                _log.warning("journal_open_failed", errno=error.errno, error=str(error))
            await self._clock.sleep(_PAUSE)
        return None

    async def _read(self, after: int, limit: int) -> Sequence[JournalEntry]:
        try:
            entries = await self._in_thread(self._log.read, after, limit)
        except OSError as error:
            if not self._read_error:
                _log.error("journal_read_failed", file=error.filename, errno=error.errno, error=str(error))
            self._read_error = f"{error.filename}: {error.strerror}"
            await self._clock.sleep(_PAUSE)
            return []
        if self._read_error:
            _log.info("journal_read_resumed")
        self._read_error = ""
        return entries

    async def _tend(self) -> None:
        """Bring back, every other second, what somebody removed or replaced."""
        while True:
            await asyncio.sleep(_TENDED_EVERY)  # of real time: that is when it happens to files
            try:
                await self._in_thread(self._log.tend)
                self._restore_error = ""
            except JournalWriteError as error:
                self._restore_error = str(error)
            self._note_restored()

    def _note_restored(self) -> None:
        if self._log.state.restored_files != self._restored_files:
            self._restored_files = self._log.state.restored_files
            self._restored_at = self._clock.now()

    def _age(self, journalled: int | None) -> float:
        """Return the seconds since an instant in microseconds; 0 without one, or where the clock was set back."""
        return 0.0 if journalled is None else max(0, _microseconds(self._clock.now()) - journalled) / 1e6

    async def _in_thread(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        del kwargs
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    def _commit_next(self) -> None:
        """Have the head of the line written, unless the disk is at work: then that is done when it ends."""
        if self._committing or not self._open:
            return
        group = self._next_group()
        if group:
            self._committing = True
            self._idle.clear()
            loop = asyncio.get_running_loop()
            commit = self._thread.submit(self._log.commit, [waiting.entry for waiting in group])
            commit.add_done_callback(lambda done: loop.call_soon_threadsafe(self._committed, group, done))

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

    def _committed(self, group: Sequence[_Waiting], commit: Future[int]) -> None:
        self._committing = False
        self._idle.set()
        self._note_restored()
        error = commit.exception()
        if error is None:
            self._accept(group, commit.result())
        elif isinstance(error, JournalWriteError):
            self._refuse(group, error)
        else:  # as it never should
            _log.error("journal_committer_died", error=repr(error), exc_info=error)
            self._open = False
            self._grown.set()
            _refuse([*group, *self._line], QueueClosedError())
        self._commit_next()

    def _accept(self, group: Sequence[_Waiting], first: int) -> None:
        if self._write_error:
            _log.info("journal_write_resumed")
        self._write_error = ""
        generation = self._log.generation
        for position, waiting in enumerate(group, first):
            if not waiting.turn.done():
                seq, body = position - generation.base, waiting.entry.body
                entry = JournalEntry(generation=generation.id, seq=seq, position=position, body=body)
                waiting.turn.set_result(entry)
        self._grown.set()

    def _refuse(self, group: Sequence[_Waiting], error: JournalWriteError) -> None:
        if not self._write_error:
            _log.error("journal_write_failed", file=error.file, errno=error.errno, error=str(error))
        self._write_error = str(error)
        _refuse(group, error)


def _refuse(line: Sequence[_Waiting] | deque[_Waiting], error: Exception) -> None:
    for waiting in line:
        if not waiting.turn.done():
            waiting.turn.set_exception(error)


def _segment_bytes(max_bytes: int) -> int:
    return max(SEGMENT_BYTES, min(_LARGEST_SEGMENT, max_bytes // _SEGMENTS_AT_MOST))


def _quantile(ordered: Sequence[float], percent: int) -> float:
    return round(ordered[(len(ordered) - 1) * percent // 100], 3) if ordered else 0.0


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
