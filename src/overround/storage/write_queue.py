"""The write queue: scraping hands batches over and goes on; one worker commits them, for as long as it takes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec
import structlog

from overround.batch import WriteBatch
from overround.errors import QueueClosedError
from overround.ports import Clock, Journal, JournalEntry, WriteHandler
from overround.storage.batch_codec import decode_batch, encode_batch
from overround.writing import QueueStats, StampedBatch, WriteReport

SessionFactoryT = TypeVar("SessionFactoryT")
Answer = TypeVar("Answer")
MissedConfirmation = Callable[[int, str], None]

_log = structlog.get_logger(__name__)


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait between tries, in seconds: full jitter under a doubling, capped bound."""

    base: float = 0.1
    cap: float = 30.0

    def delay(self, attempt: int) -> float:
        """Return the pause after the n-th failed try, n from 1."""
        bound = min(self.cap, self.base * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, bound)  # noqa: S311 - jitter is no secret


class _Sums:
    """Counters since start."""

    def __init__(self) -> None:
        self.accepted = 0
        self.accepted_snapshots = 0
        self.written = 0
        self.retried = 0
        self.snapshots = 0
        self.markets = 0
        self.confirmations = 0
        self.missed = 0
        self.last_error = ""

    def add(self, report: WriteReport, batches: int) -> None:
        self.written += batches
        self.snapshots += report.snapshots
        self.markets += report.markets
        self.confirmations += report.confirmed
        self.missed += len(report.missed)
        self.last_error = ""


class AsyncWriteQueue(Generic[SessionFactoryT]):
    """Journal in front, one worker behind.

    `enqueue` returns when the journal has the batch. The worker reads up to `maxsize` batches
    ahead, commits them in one transaction, and lets the journal forget them. What fails is tried
    again, without end: there is no way for a batch to leave other than into the database.
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
        self._backoff = backoff or Backoff()
        self._on_missed = on_missed
        self._sums = _Sums()
        self._accepting = False
        self._applied = 0
        self._moved = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept batches, and start the worker; neither waits for the database. The journal must be open."""
        began = self._clock.monotonic()
        stats = self._journal.stats()
        self._applied = stats.last_seq - stats.pending
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
            written_snapshots=sums.snapshots + sums.confirmations + sums.missed,
            dead_lettered=0,
        )

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Journal a batch; its place in the order is taken before anything is awaited.

        Raises:
            QueueClosedError: the queue is not running.
            JournalFullError: the batch alone is larger than the journal may be.
        """
        if not self._accepting:
            raise QueueClosedError
        entry = await self._journal.append(encode_batch(batch))
        self._sums.accepted += 1
        self._sums.accepted_snapshots += len(batch.snapshots) + len(batch.confirmed)
        _log.info(
            "write_batch_enqueued",
            run=batch.scrape_run_id,
            batch_index=batch.batch_index,
            seq=entry.seq,
            changed=len(batch.snapshots),
            confirmed=len(batch.confirmed),
            bytes=len(entry.body),
        )
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
        age = (self._clock.now() - journal.oldest_at).total_seconds() if journal.oldest_at else 0.0
        sums = self._sums
        return QueueStats(
            running=self._accepting,
            pending=journal.pending,
            pending_bytes=journal.bytes,
            oldest_pending_seconds=round(max(age, 0.0), 3),
            accepted=sums.accepted,
            written=sums.written,
            retried=sums.retried,
            dead_lettered=0,
            snapshots_written=sums.snapshots,
            markets_written=sums.markets,
            confirmations_written=sums.confirmations,
            missed_confirmations=sums.missed,
            last_error=sums.last_error,
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
        self._applied = await self._at_last(lambda: self._handler.applied(journal_id))
        while entries := await self._journal.read(self._applied, self._maxsize):
            await self._commit(entries)

    async def _commit(self, entries: Sequence[JournalEntry]) -> None:
        batches = [StampedBatch(epoch=entry.epoch, seq=entry.seq, batch=decode_batch(entry.body)) for entry in entries]
        began = self._clock.monotonic()
        journal_id = self._journal.journal_id
        report = await self._at_last(lambda: self._handler.write(journal_id, batches))
        self._sums.add(report, len(batches))
        self._applied = entries[-1].seq
        await self._journal.release(self._applied)
        self._moved.set()
        _log.info(
            "write_batch_committed",
            seq=self._applied,
            batches=len(batches),
            runs=sorted({stamped.batch.scrape_run_id for stamped in batches}),
            snapshots=report.snapshots,
            markets=report.markets,
            confirmed=report.confirmed,
            missed=len(report.missed),
            commit_ms=_ms_since(began, self._clock),
        )
        if self._on_missed is not None:
            for sr_id, bookmaker in report.missed:
                self._on_missed(sr_id, bookmaker)

    async def _at_last(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask the database until it answers."""
        attempt = 0
        while True:
            try:
                return await ask()
            except Exception as error:  # noqa: BLE001 - supervision point: a write may fail, the worker may not
                attempt += 1
                await self._pause(attempt, error)

    async def _pause(self, attempt: int, error: Exception) -> None:
        delay = self._backoff.delay(attempt)
        self._sums.retried += 1
        self._sums.last_error = f"{type(error).__name__}: {error}".splitlines()[0][:500]
        _log.warning("write_batch_retry", attempt=attempt, delay_s=round(delay, 3), error=self._sums.last_error)
        await self._clock.sleep(delay)


def _ms_since(began: float, clock: Clock) -> float:
    return round((clock.monotonic() - began) * 1000, 1)


def _report_death(worker: asyncio.Task[None]) -> None:
    if not worker.cancelled() and (error := worker.exception()) is not None:
        _log.error("write_queue_worker_died", error=repr(error), exc_info=error)
