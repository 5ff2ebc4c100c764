"""The write queue: scraping hands batches over and goes on; one worker commits them and counts in snapshots."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from overround.errors import QueueClosedError
from overround.latency import LatencyWindow
from overround.ports import Clock, Journal, WriteHandler
from overround.records.batch import WriteBatch
from overround.records.writing import JournalEntry, QueueStats, StampedBatch, WriteReport, fill_state
from overround.storage.attempts import Attempts, Backoff
from overround.storage.batch_codec import encode_batch, read_entry
from overround.storage.packing import observed_at


class QueueSums:
    """Counters since start.

    A batch's snapshots and confirmations are on its account from its acceptance until it is
    committed. What an earlier process accepted is counted when it is committed, as is a batch whose
    caller was cancelled, or has not been told yet, when the journal had it.
    """

    def __init__(self, clock: Clock, recovered_to: int) -> None:
        """Count from now on; an earlier process accepted the batches up to that seq."""
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

    def accept(self, seq: int, batch: WriteBatch) -> None:
        """Count a batch that the journal has."""
        if seq in self._overtaken:
            return
        self.accepted += 1
        self.accepted_snapshots += _summed(batch)
        self._accounts[seq] = _summed(batch)

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
        if stamped.seq <= self._recovered_to:
            self.recovered_snapshots += _summed(stamped.batch)
        elif self._accounts.pop(stamped.seq, None) is None:
            self.accept(stamped.seq, stamped.batch)
            del self._accounts[stamped.seq]
            self._overtaken.add(stamped.seq)


def _summed(batch: WriteBatch) -> int:
    return len(batch.snapshots) + len(batch.confirmed)


SessionFactoryT = TypeVar("SessionFactoryT")
MissedConfirmation = Callable[[int, str], None]
AcceptedListener = Callable[[JournalEntry, WriteBatch], Awaitable[None]]

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
        self._handler = handler(session_factory)
        self._journal = journal
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

    async def start(self) -> None:
        """Accept batches, and start the worker; neither waits for the database. The journal must be open."""
        began = self._clock.monotonic()
        stats = self._journal.stats()
        self._applied = stats.last_seq - stats.pending
        self._sums = QueueSums(self._clock, stats.last_seq)
        self._worker = asyncio.create_task(self._work(), name="write-queue-worker")
        self._worker.add_done_callback(_report_death)
        self._accepting = True
        _log.info(
            "write_queue_started", epoch=stats.epoch, pending=stats.pending, start_ms=_ms_since(began, self._clock)
        )

    async def stop(self, deadline: float = 30.0) -> None:
        """Refuse new batches, and drain for at most `deadline` seconds.

        What is left then stays in the journal; the closing log event adds up in snapshots.
        """
        self._accepting = False
        drained = await self._drain(deadline)
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        sums = self._sums
        _log.info(
            "write_queue_stopped",
            drained=drained,
            pending=self._journal.stats().pending,
            accepted_snapshots=sums.accepted_snapshots,
            recovered_snapshots=sums.recovered_snapshots,
            applied_snapshots=sums.applied_snapshots,
            dead_snapshots=sums.dead_snapshots,
            settled_snapshots=sums.settled_snapshots,
            left_snapshots=sums.left,
            dead_lettered=sums.dead_lettered,
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
            self._sums.accept(entry.seq, batch)
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
        target = self._journal.stats().last_seq
        while self._applied < target:
            self._moved.clear()
            await self._moved.wait()

    def stats(self) -> QueueStats:
        """Return counters and depth."""
        journal = self._journal.stats()
        sums, attempts = self._sums, self._attempts
        fill = 100 * journal.bytes // journal.max_bytes if journal.max_bytes and journal.pending else 0
        return QueueStats(
            running=self._accepting,
            pending=journal.pending,
            pending_bytes=journal.bytes,
            oldest_pending_seconds=round(journal.oldest_seconds, 3),
            accepted=sums.accepted,
            written=sums.written,
            retried=attempts.retries.total(),
            dead_lettered=sums.dead_lettered,
            snapshots_written=sums.snapshots,
            markets_written=sums.markets,
            confirmations_written=sums.confirmations,
            missed_confirmations=sums.missed,
            last_error=attempts.reason,
            state=attempts.state,
            state_reason=attempts.reason,
            state_since=attempts.since,
            accepted_snapshots=sums.accepted_snapshots,
            recovered_snapshots=sums.recovered_snapshots,
            applied_snapshots=sums.applied_snapshots,
            dead_snapshots=sums.dead_snapshots,
            settled_snapshots=sums.settled_snapshots,
            left_snapshots=sums.left,
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
        )

    async def _drain(self, deadline: float) -> bool:
        if self._worker is None:
            return self._journal.stats().pending == 0
        try:
            async with asyncio.timeout(deadline):
                await self.drain()
        except TimeoutError:
            return False
        return True

    async def _work(self) -> None:
        journal_id = self._journal.journal_id
        applied = await self._attempts.at_last(lambda: self._handler.applied(journal_id))
        await self._journal.advance(applied)
        self._move(applied)
        while entries := await self._attempts.at_last(self._read_ahead):
            await self._commit([await asyncio.to_thread(read_entry, entry) for entry in entries])

    async def _read_ahead(self) -> Sequence[JournalEntry]:
        """Read what comes next; at first one batch, so that it is soon seen whether the database takes it."""
        return await self._journal.read(self._applied, self._maxsize if self._sums.written else 1)

    async def _commit(self, read: Sequence[StampedBatch]) -> None:
        began = self._clock.monotonic()
        batches, report = await self._attempts.at_last(lambda: self._write(read))
        self._sums.commit_of(batches, report, self._clock.monotonic() - began)
        seq = batches[-1].seq
        await self._attempts.at_last(lambda: self._journal.release(seq))
        self._move(seq)
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

    def _move(self, seq: int) -> None:
        """Let those who wait for the queue to drain see how far it is, once the journal knows it too."""
        self._applied = seq
        self._moved.set()

    async def _write(self, read: Sequence[StampedBatch]) -> tuple[Sequence[StampedBatch], WriteReport]:
        """Write all that was read ahead or, to find out whether the breaker can be closed, one batch."""
        batches = read[:1] if self._attempts.probing else read
        return batches, await self._handler.write(self._journal.journal_id, batches)


def _ms_since(began: float, clock: Clock) -> float:
    return round((clock.monotonic() - began) * 1000, 1)


def _report_death(worker: asyncio.Task[None]) -> None:
    if not worker.cancelled() and (error := worker.exception()) is not None:
        _log.error("write_queue_worker_died", error=repr(error), exc_info=error)
