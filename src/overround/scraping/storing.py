"""Storing a scraped batch: classify, move the cache, take a place in the write order, in one step."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overround.caching.change_detection import BatchChanges, ChangedSnapshot, classify_batch_changes, update_cache
from overround.caching.odds_cache import OddsCache, SnapshotRow
from overround.catalogue import Catalogue
from overround.ports import BatchWriter, Clock, WriteQueue
from overround.records.batch import EventScrapeStatus, ScrapeOutcome, ScrapeRun, SnapshotWriteData, WriteBatch
from overround.records.event import Event
from overround.records.odds import Snapshot
from overround.records.writing import WriteReport
from overround.scraping.event_scrape import EventResult
from overround.scraping.runs import RunTally, ScrapeFailure
from overround.scraping.write_batch import confirmations, snapshot_write_data
from overround.streaming.hub import StreamHub
from overround.streaming.progress import Stored

NO_RUN = 0  # rows that no scrape brought

Outcomes = Mapping[tuple[int, str], ScrapeOutcome]
_NOTHING_WRITTEN = WriteReport(batches=0, snapshots=0, markets=0, confirmed=0)


class _Stopwatch:
    """Milliseconds between marks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._last = clock.monotonic()

    def lap(self) -> float:
        now = self._clock.monotonic()
        lap, self._last = now - self._last, now
        return round(lap * 1000, 3)

    def total(self) -> float:
        return round((self._last - self._began) * 1000, 3)


class BatchStore:
    """The one way from a scraped batch to the cache and the write path."""

    def __init__(
        self,
        cache: OddsCache,
        catalogue: Catalogue,
        clock: Clock,
        write_queue: WriteQueue | None,
        batch_writer: BatchWriter | None,
        stream: StreamHub | None = None,
    ) -> None:
        """Build the store; without a queue, batches are committed inline by the batch writer.

        `stream` hears of what the journal or, inline, the database has.
        """
        self._cache = cache
        self._catalogue = catalogue
        self._clock = clock
        self._queue = write_queue
        self._writer = batch_writer
        self._stream = stream

    async def store(
        self,
        run: ScrapeRun,
        batch_index: int,
        results: Sequence[EventResult],
        tally: RunTally,
        reference: str,
        events: Sequence[Event] = (),
    ) -> Stored:
        """Store a batch, with events that its bodies changed, and return its timings and counts.

        From classification until the write path has given the batch its place nothing is awaited, so
        that there is one order per (event, bookmaker). Entries count as accepted only once the
        write path has the batch: whatever fails or is cancelled in between is written again later.
        """
        watch = _Stopwatch(self._clock)
        sr_ids = {result.sr_id for result in results}
        lookups = watch.lap()
        snapshots = [result.snapshot for result in results if result.snapshot is not None]
        ahead = [result.ahead for result in results if result.ahead is not None]
        changes = classify_batch_changes(self._cache, snapshots, (one.prepared for one in ahead))
        detection = watch.lap()
        update_cache(self._cache, changes)
        caching = watch.lap()
        batch = self._batch(run, batch_index, results, changes, events)
        processing = watch.lap()
        report = await self.write(batch)
        self._accept(report, changes)
        enqueue = watch.lap()
        _count(tally, results, changes)
        markets_changed = sum(len(changed.markets) for changed in changes.changed)
        tally.markets_changed += markets_changed
        tally.storage_ms += watch.total()
        return Stored(
            run_id=run.run_id,
            batch_index=batch_index,
            events=len(sr_ids),
            lookups_ms=lookups,
            processing_ms=processing,
            change_detection_ms=detection,
            cache_update_ms=caching,
            queue_enqueue_ms=enqueue if self._queue is not None else 0.0,
            storage_flush_ms=report.flush_ms,
            storage_commit_ms=report.commit_ms,
            blocking_ms=watch.total(),
            markets_changed=markets_changed,
            changed=dict(Counter(one.snapshot.bookmaker for one in changes.changed)),
            confirmed=dict(Counter(one.snapshot.bookmaker for one in changes.confirmed)),
            **_by_role(changes, reference),
        )

    async def withdraw(self, run: ScrapeRun, batch_index: int, snapshots: Sequence[Snapshot], tally: RunTally) -> None:
        """Store snapshots that nobody sent: those that say of a departed listing that nothing is offered."""
        changes = classify_batch_changes(self._cache, snapshots)
        update_cache(self._cache, changes)
        batch = self._batch(run, batch_index, (), changes)
        self._accept(await self.write(batch), changes)
        for changed in changes.changed:
            tally.count(changed.snapshot.bookmaker, "withdrawn")
            tally.markets_changed += len(changed.markets)

    def _accept(self, report: WriteReport, changes: BatchChanges) -> None:
        """Let the stream hear of changes, and count their entries as accepted.

        Nothing is awaited before that: the stream and the cache agree on what is.
        """
        if self._stream is not None:
            self._stream.accepted(report.place, changes)
        for changed in changes.changed:
            snapshot = changed.snapshot
            self._cache.accept(snapshot.sr_id, snapshot.bookmaker, snapshot.snapshot_id)

    async def write_again(self, keys: Iterable[tuple[int, str]]) -> None:
        """Write the states that the cache has, whole: the database has lost them."""
        changed = [again for key in keys if (again := self._again(*key)) is not None]
        for one in changed:
            self._cache.put(one.snapshot.sr_id, one.snapshot.bookmaker, one.state)
        data = tuple(snapshot_write_data(one, self._catalogue) for one in changed)
        await self.write(WriteBatch(scrape_run_id=NO_RUN, batch_index=0, snapshots=data))
        for one in changed:
            self._cache.accept(one.snapshot.sr_id, one.snapshot.bookmaker, one.snapshot.snapshot_id)

    def _again(self, sr_id: int, bookmaker: str) -> ChangedSnapshot | None:
        cached = self._cache.get(sr_id, bookmaker)
        if cached is None:
            return None
        snapshot = Snapshot(
            sr_id=sr_id,
            bookmaker=bookmaker,
            received_at=cached.received_at,
            markets=cached.markets,
            complete=True,
            body_hash=cached.body_hash,
            number=cached.number,
        )
        row = SnapshotRow(snapshot.snapshot_id, cached.received_at)
        state = msgspec.structs.replace(cached, row=row, accepted=False)
        return ChangedSnapshot(snapshot=snapshot, markets=cached.markets, state=state, first=False)

    async def write(self, batch: WriteBatch) -> WriteReport:
        """Hand a batch to the queue or, without one, commit it."""
        report = await self._written(batch)
        if self._stream is not None and (batch.events or batch.listings):
            self._stream.listed(report.place, batch)
        return report

    async def _written(self, batch: WriteBatch) -> WriteReport:
        if self._queue is not None:
            entry = await self._queue.enqueue(batch)
            return msgspec.structs.replace(_NOTHING_WRITTEN, place=entry.place)
        if self._writer is None:
            return _NOTHING_WRITTEN
        report = await self._writer.write(batch)
        for sr_id, bookmaker in report.missed:
            self._cache.unaccept(sr_id, bookmaker)
        return report

    def _batch(
        self,
        run: ScrapeRun,
        batch_index: int,
        results: Iterable[EventResult],
        changes: BatchChanges,
        events: Sequence[Event] = (),
    ) -> WriteBatch:
        outcomes = _outcomes(changes)
        ahead = {id(one.prepared.verdict): one.data for one in (result.ahead for result in results) if one is not None}
        return WriteBatch(
            scrape_run_id=run.run_id,
            batch_index=batch_index,
            snapshots=tuple(self._write_data(changed, ahead) for changed in changes.changed),
            confirmed=confirmations(changes.confirmed),
            events=tuple(events),
            statuses=tuple(_status(result, outcomes) for result in results),
        )

    def _write_data(self, changed: ChangedSnapshot, ahead: Mapping[int, SnapshotWriteData | None]) -> SnapshotWriteData:
        """Return what was made ahead for this very verdict, or make it now."""
        return ahead.get(id(changed)) or snapshot_write_data(changed, self._catalogue)


def _outcomes(changes: BatchChanges) -> Outcomes:
    return {
        **{_key(one.snapshot): ScrapeOutcome.CHANGED for one in changes.changed},
        **{_key(one.snapshot): ScrapeOutcome.CONFIRMED for one in changes.confirmed},
        **{_key(one.snapshot): ScrapeOutcome.INCOMPLETE for one in changes.incomplete},
    }


def _status(result: EventResult, outcomes: Outcomes) -> EventScrapeStatus:
    return EventScrapeStatus(
        sr_id=result.sr_id,
        bookmaker=result.bookmaker,
        outcome=_outcome(result, outcomes),
        scraped_at=result.scraped_at,
        duration_ms=result.duration_ms,
        bytes=result.bytes,
        error_class=result.error_class,
    )


def _outcome(result: EventResult, outcomes: Outcomes) -> ScrapeOutcome:
    if result.offer is None:
        return ScrapeOutcome.FAILED
    if result.snapshot is None:
        return ScrapeOutcome.LIVE
    return outcomes.get((result.sr_id, result.bookmaker), ScrapeOutcome.OVERTAKEN)


def _count(tally: RunTally, results: Iterable[EventResult], changes: BatchChanges) -> None:
    for what, snapshots in (
        ("changed", [one.snapshot for one in changes.changed]),
        ("confirmed", [one.snapshot for one in changes.confirmed]),
        ("incomplete", [one.snapshot for one in changes.incomplete]),
        ("overtaken", changes.overtaken),
    ):
        for bookmaker, count in Counter(snapshot.bookmaker for snapshot in snapshots).items():
            tally.count(bookmaker, what, count)
    for result in results:
        if result.offer is None:
            tally.note_failure(
                ScrapeFailure(
                    sr_id=result.sr_id,
                    bookmaker=result.bookmaker,
                    error_class=result.error_class,
                    message=result.message,
                    at=result.scraped_at,
                )
            )
        else:
            tally.count(result.bookmaker, "live", int(result.snapshot is None))
            tally.count(result.bookmaker, "unmapped", sum(unmapped.count for unmapped in result.offer.unmapped))
            tally.count(result.bookmaker, "dropped", sum(dropped.count for dropped in result.offer.dropped))


def _by_role(changes: BatchChanges, reference: str) -> dict[str, int]:
    changed = Counter(one.snapshot.bookmaker == reference for one in changes.changed)
    unchanged = Counter(one.snapshot.bookmaker == reference for one in (*changes.confirmed, *changes.incomplete))
    return {
        "changed_bp": changed[True],
        "changed_comp": changed[False],
        "unchanged_bp": unchanged[True],
        "unchanged_comp": unchanged[False],
    }


def _key(snapshot: Snapshot) -> tuple[int, str]:
    return (snapshot.sr_id, snapshot.bookmaker)
