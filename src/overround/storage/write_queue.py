"""The write queue: scraping hands batches over and goes on; one worker commits them and counts in snapshots."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from overround.errors import OwnershipLostError, QueueClosedError, WatermarkWentBackError
from overround.latency import LatencyWindow
from overround.ports import Clock, Journal, WriteHandler
from overround.records.batch import WriteBatch
from overround.records.writing import JournalEntry, QueueStats, StampedBatch, WriteReport, fill_state
from overround.storage.attempts import Attempts, Backoff
from overround.storage.batch_codec import encode_batch, read_entry
from overround.storage.holding import Holds
from overround.storage.packing import observed_at
from overround.storage.watermarks import Watermarks


class QueueSums:
    """Counters since start.

    A batch's snapshots and confirmations are on its account from its acceptance until it is
    committed. What an earlier process accepted is counted when it is committed, as is a batch whose
    caller was cancelled, or has not been told yet, when the journal had it.
    """

    def __init__(self, clock: Clock, recovered_to: int) -> None:
        """Count from now on; an earlier process accepted the batches up to that position."""
        self._clock = clock
        self._recovered_to = recovered_to
        self._accounts: dict[int, int] = {}
        self._entering = 0
        self._overtaken: set[int] = set()
        self.accepted = 0
        self.accepted_snapshots = 0
        self.recovered_snapshots = 0
        self.written = 0
        self.snapshots = 0
        self.markets = 0
        self.confirmations = 0
        self.missed = 0
        self.applied_snapshots = 0
        self.dead_lettered = 0
        self.dead_snapshots = 0
        self.settled_snapshots = 0
        self.bisections = 0
        self.commit = LatencyWindow()
        self.change_to_committed = LatencyWindow()

    @property
    def left(self) -> int:
        """Return the snapshots and confirmations accepted and not yet committed."""
        return sum(self._accounts.values())

    @contextmanager
    def entering(self) -> Iterator[None]:
        """Hold around the time in which the journal may have a batch that is not accepted yet."""
        self._entering += 1
        try:
            yield
        finally:
            self._entering -= 1
            if not self._entering:
                self._overtaken.clear()

    def accept(self, position: int, batch: WriteBatch) -> None:
        """Count a batch that the journal has."""
        if position in self._overtaken:
            return
        self.accepted += 1
        self.accepted_snapshots += _summed(batch)
        self._accounts[position] = _summed(batch)

    def commit_of(self, batches: Sequence[StampedBatch], report: WriteReport, seconds: float) -> None:
        """Count a transaction over these batches that took so long."""
        now = self._clock.now()
        for stamped in batches:
            self._close_account(stamped)
            if stamped.batch.snapshots and (newest := observed_at(stamped.batch)) is not None:
                self.change_to_committed.add((now - newest).total_seconds())
        self.commit.add(seconds)
        self.written += len(batches)
        self.snapshots += report.snapshots
        self.markets += report.markets
        self.confirmations += report.confirmed
        self.missed += len(report.missed)
        self.applied_snapshots += report.snapshots + report.confirmed + len(report.missed) + report.applied_before
        self.dead_lettered += report.dead
        self.dead_snapshots += report.dead_snapshots + report.dead_before
        self.settled_snapshots += report.settled
        self.bisections += report.tries > 1 or report.dead > 0

    def _close_account(self, stamped: StampedBatch) -> None:
        if stamped.position <= self._recovered_to:
            self.recovered_snapshots += _summed(stamped.batch)
        elif self._accounts.pop(stamped.position, None) is None:
            self.accept(stamped.position, stamped.batch)
            del self._accounts[stamped.position]
            self._overtaken.add(stamped.position)


def _summed(batch: WriteBatch) -> int:
    return len(batch.snapshots) + len(batch.confirmed)


SessionFactoryT = TypeVar("SessionFactoryT")
Answer = TypeVar("Answer")
MissedConfirmation = Callable[[int, str], None]
AcceptedListener = Callable[[JournalEntry, WriteBatch], Awaitable[None]]

LOOK_EVERY = 10.0  # seconds

_log = structlog.get_logger(__name__)


class AsyncWriteQueue(Generic[SessionFactoryT]):
    """Journal in front, one worker behind.

    `enqueue` returns when the journal has the batch. The worker reads up to `maxsize` batches
    ahead, commits them in one transaction, and lets the journal forget them. What fails is tried
    again, without end: there is no way for a batch to leave other than into the database, where the
    handler keeps what no table takes as dead letters.
    """

    def __init__(
        self,
        *,
        session_factory: SessionFactoryT,
        journal: Journal,
        handler: Callable[[SessionFactoryT], WriteHandler],
        clock: Clock,
        maxsize: int = 50,
        backoff: Backoff | None = None,
        on_missed: MissedConfirmation | None = None,
    ) -> None:
        """Build the queue; `on_missed` hears of confirmations that found no stored snapshot."""
        self._holds = Holds(clock)
        self._asked_at: float | None = None
        self._handler = handler(session_factory)
        self._journal = journal
        self._watermarks = Watermarks(journal, self._handler, clock)
        self._turn = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._clock = clock
        self._maxsize = maxsize
        self._attempts = Attempts(clock, backoff or Backoff())
        self._on_missed = on_missed
        self._on_accepted: list[AcceptedListener] = []
        self._sums = QueueSums(clock, 0)
        self._accepting = False
        self._applied = 0
        self._moved = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def on_accepted(self, listener: AcceptedListener) -> None:
        """Let a listener hear of each batch that the journal has; `enqueue` returns after it."""
        self._on_accepted.append(listener)

    def count_held(self, holds: Holds) -> None:
        """Show the rows that the handler holds back."""
        self._holds = holds

    async def start(self, watermarks: Watermarks | None = None) -> None:
        """Accept batches, and start the worker; neither waits for the database. The journal must be open.

        With `watermarks`, go by what they know of the journal already.
        """
        self._watermarks = watermarks or self._watermarks
        began = self._clock.monotonic()
        stats = self._journal.stats()
        self._applied = stats.last - stats.pending
        self._sums = QueueSums(self._clock, stats.last)
        self._worker = self._supervised(self._begin(), "write-queue-worker")
        self._watch = self._supervised(self._keep_looking(), "write-queue-watch")
        self._accepting = True
        _log.info(
            "write_queue_started",
            generation=str(self._journal.generation),
            pending=stats.pending,
            start_ms=_ms_since(began, self._clock),
        )

    async def stop(self, deadline: float = 30.0) -> None:
        """Refuse new batches, and drain for at most `deadline` seconds.

        What is left then stays in the journal; the closing log event adds up in snapshots.
        """
        self._accepting = False
        drained = await self._drain(deadline)
        tasks = [task for task in (self._watch, self._worker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._worker is not None:
            await self._watermarks.save()
        self._watch = self._worker = None
        stats = self.stats()
        _log.info(
            "write_queue_stopped",
            drained=drained,
            pending=stats.pending,
            accepted_snapshots=stats.accepted_snapshots,
            recovered_snapshots=stats.recovered_snapshots,
            applied_snapshots=stats.applied_snapshots,
            dead_snapshots=stats.dead_snapshots,
            settled_snapshots=stats.settled_snapshots,
            held_snapshots=stats.held_snapshots,
            left_snapshots=stats.left_snapshots,
            dead_lettered=stats.dead_lettered,
        )

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Journal a batch; its place in the order is taken before anything is awaited.

        Raises:
            QueueClosedError: the queue is not running.
            JournalFullError: the batch alone is larger than the journal may be.
        """
        if not self._accepting:
            raise QueueClosedError
        with self._sums.entering():
            entry = await self._journal.append(encode_batch(batch))
            self._sums.accept(entry.position, batch)
        _log.info(
            "write_batch_enqueued",
            run=batch.scrape_run_id,
            batch_index=batch.batch_index,
            seq=entry.seq,
            changed=len(batch.snapshots),
            confirmed=len(batch.confirmed),
            bytes=len(entry.body),
        )
        for listener in self._on_accepted:
            await listener(entry, batch)
        return entry

    async def drain(self) -> None:
        """Wait until everything accepted so far is committed."""
        target = self._journal.stats().last
        while self._applied < target:
            self._moved.clear()
            await self._moved.wait()

    def stats(self) -> QueueStats:
        """Return counters and depth."""
        journal = self._journal.stats()
        sums, attempts, holds = self._sums, self._attempts, self._holds
        fill = 100 * journal.bytes // journal.max_bytes if journal.max_bytes and journal.pending else 0
        return QueueStats(
            running=self._accepting,
            pending=journal.pending,
            pending_bytes=journal.bytes,
            oldest_pending_seconds=round(journal.oldest_seconds, 3),
            accepted=sums.accepted,
            written=sums.written,
            retried=attempts.retries.total(),
            dead_lettered=sums.dead_lettered + holds.letters,
            snapshots_written=sums.snapshots,
            markets_written=sums.markets,
            confirmations_written=sums.confirmations,
            missed_confirmations=sums.missed,
            last_error=attempts.reason,
            state=attempts.state,
            state_reason=attempts.reason,
            state_since=attempts.since,
            accepted_snapshots=sums.accepted_snapshots,
            recovered_snapshots=sums.recovered_snapshots + holds.recovered,
            applied_snapshots=sums.applied_snapshots + holds.applied,
            dead_snapshots=sums.dead_snapshots + holds.dead,
            settled_snapshots=sums.settled_snapshots,
            held_snapshots=holds.own_snapshots,
            left_snapshots=sums.left,
            unanswered_seconds=0.0 if self._asked_at is None else self._clock.monotonic() - self._asked_at,
            held=holds.shown(),
            retries=dict(attempts.retries),
            bisections=sums.bisections,
            commit=sums.commit.latency(),
            change_to_committed=sums.change_to_committed.latency(),
            fill_percent=fill,
            fill=fill_state(fill),
            journal_error=journal.write_error,
            journal_read_error=journal.read_error,
            damaged_files=journal.damaged_files,
            damaged_file_bytes=journal.damaged_file_bytes,
            restored_files=journal.restored_files,
            restored_at=journal.restored_at,
            append_p50_ms=journal.append_p50_ms,
            append_p99_ms=journal.append_p99_ms,
            damaged_frames=journal.damaged_frames,
            went_back_at=self._watermarks.went_back_at,
            open_gaps=self._watermarks.open_gaps,
        )

    async def _drain(self, deadline: float) -> bool:
        if self._worker is None or self._worker.done():
            return self._journal.stats().pending == 0
        try:
            async with asyncio.timeout(deadline):
                await self.drain()
        except TimeoutError:
            return False
        return True

    def _supervised(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_report_death)
        return task

    async def _begin(self) -> None:
        await self._watermarks.recall()
        async with self._turn:
            await self._look()
        await self._work()

    async def _work(self) -> None:
        while entries := await self._attempts.at_last(self._read_ahead):
            read = [await asyncio.to_thread(read_entry, entry) for entry in entries]
            async with self._turn:
                if entries[0].position > self._applied:  # else the watch has gone back meanwhile
                    await self._commit(entries[0].generation, read)

    async def _keep_looking(self) -> None:
        """Look at the watermarks every so often, also while nothing is written; go back where the database did."""
        while True:
            await asyncio.sleep(LOOK_EVERY)  # of real time: the clock in use may stand still
            async with self._turn:
                before, back = self._applied, self._watermarks.went_back_at
                await self._look()
                if self._watermarks.went_back_at != back and self._applied < before and self._worker is not None:
                    self._worker.cancel()  # it waits for entries behind the place where it was
                    self._worker = self._supervised(self._work(), "write-queue-worker")

    async def _look(self) -> None:
        """Read on from where the database is, which may be further back than it was."""
        position = await self._attempts.at_last(lambda: self._answered(self._watermarks.look()))
        await self._attempts.at_last(lambda: self._journal.release(position))
        self._move(position)

    async def _read_ahead(self) -> Sequence[JournalEntry]:
        """Read what comes next; at first one batch, so that it is soon seen whether the database takes it."""
        return await self._journal.read(self._applied, self._maxsize if self._sums.written else 1)

    async def _commit(self, generation: uuid.UUID, read: Sequence[StampedBatch]) -> None:
        began = self._clock.monotonic()
        written = await self._attempts.at_last(lambda: self._write(generation, read))
        if written is None:
            await self._look()
            return
        batches, report = written
        self._sums.commit_of(batches, report, self._clock.monotonic() - began)
        seq, position = batches[-1].seq, batches[-1].position
        await self._watermarks.note(generation, seq)
        await self._attempts.at_last(lambda: self._journal.release(position))
        self._move(position)
        _log.info(
            "write_batch_committed",
            seq=seq,
            batches=len(batches),
            runs=sorted({stamped.batch.scrape_run_id for stamped in batches}),
            snapshots=report.snapshots,
            markets=report.markets,
            confirmed=report.confirmed,
            missed=len(report.missed),
            dead=report.dead,
            tries=report.tries,
            commit_ms=_ms_since(began, self._clock),
        )
        if self._on_missed is not None:
            for sr_id, bookmaker in report.missed:
                self._on_missed(sr_id, bookmaker)

    def _move(self, position: int) -> None:
        """Let those who wait for the queue to drain see how far it is, once the journal knows it too."""
        self._applied = position
        self._moved.set()

    async def _write(
        self, generation: uuid.UUID, read: Sequence[StampedBatch]
    ) -> tuple[Sequence[StampedBatch], WriteReport] | None:
        """Write all that was read ahead or, to find out whether the breaker can be closed, one batch.

        Return None where the database has forgotten what it confirmed.
        """
        batches = read[:1] if self._attempts.probing else read
        asked = self._handler.write(generation, batches, self._watermarks.confirmed(generation))
        try:
            return batches, await self._answered(asked)
        except WatermarkWentBackError:
            return None

    async def _answered(self, question: Awaitable[Answer]) -> Answer:
        """Return the database's answer; until it comes, the figures say for how long it has been asked."""
        self._asked_at = self._clock.monotonic()
        try:
            return await question
        finally:
            self._asked_at = None


def _ms_since(began: float, clock: Clock) -> float:
    return round((clock.monotonic() - began) * 1000, 1)


def _report_death(worker: asyncio.Task[None]) -> None:
    if worker.cancelled() or (error := worker.exception()) is None:
        return
    if isinstance(error, OwnershipLostError):
        _log.error("write_queue_worker_ended", error=str(error))
    else:
        _log.error("write_queue_worker_died", error=repr(error), exc_info=error)
