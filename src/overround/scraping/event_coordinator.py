"""One pass over all events: discover, scrape in batches, and hand each batch to cache and write queue."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from itertools import islice
from typing import Any

import msgspec
import structlog

from overround.caching.event_register import BookUpdate, EventRegister, KnownListing
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue
from overround.errors import ErrorClass, JournalWriteError, OverroundError, UnknownEventError
from overround.ports import BatchWriter, Clock, WriteQueue
from overround.records.batch import RunKind, RunStatus, ScrapeRun, WriteBatch
from overround.records.event import Event
from overround.scraping.absence import Absences, Sweep, clean_bookmakers, withdrawals
from overround.scraping.discovery import ListingResolver, discover, enter_listings, entering, list_figures, rematch
from overround.scraping.event_scrape import EventResult, Landing, Source, note_fetched, prepared_result, scrape_listing
from overround.scraping.precedence import Precedence
from overround.scraping.run_targets import EventTarget, batches_of, choose_targets
from overround.scraping.runs import RunBook, RunTally
from overround.scraping.storing import BatchStore
from overround.settings import Settings
from overround.streaming.hub import StreamHub
from overround.streaming.progress import Discovered, ProgressHub, RunFinished, RunStarted, Scraped, Stored

_BATCHES_UNDER_WAY = 2  # the next batch's requests fly while one is stored
_STARTED_AT_ONCE = 3  # requests; a whole batch of them would keep the event loop for 50 ms and more

_log = structlog.get_logger(__name__)


class CycleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle covers; what has been fetched is stored within so many seconds, None: batch by batch.

    `interval` is the least time between two cycles: lists that are closer together do not confirm an absence.
    """

    reference: str
    sports: tuple[str, ...]
    batch_size: int
    horizon: timedelta | None
    near_kickoff: timedelta
    eviction_grace: timedelta
    store_within: float | None = None
    interval: timedelta = timedelta()


class ScrapeContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the coordinator works on and with; `stream` hears of all that is written."""

    sources: Mapping[str, Source]
    cache: OddsCache
    book: EventRegister
    runs: RunBook
    catalogue: Catalogue
    clock: Clock
    progress: ProgressHub
    stream: StreamHub | None = None


class EventCoordinator:
    """Runs scrape runs; several may be under way at once, the cache decides about order.

    With a write queue, storing returns as soon as the journal has a batch; without one, the batch
    writer commits it inline.
    """

    def __init__(
        self,
        context: ScrapeContext,
        options: CycleOptions,
        write_queue: WriteQueue | None = None,
        batch_writer: BatchWriter | None = None,
    ) -> None:
        """Build the coordinator; one of `write_queue` and `batch_writer` is needed."""
        self._context = context
        self._options = options
        self.store = BatchStore(
            context.cache, context.catalogue, context.clock, write_queue, batch_writer, context.stream
        )
        self._resolver = ListingResolver(context.sources, context.clock)
        self._absences = Absences(options.interval)
        self._stores_first = Precedence()
        self._owed = BookUpdate(events=(), listings=())
        self._owed_runs: list[ScrapeRun] = []
        self._ending = False

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        context: ScrapeContext,
        write_queue: WriteQueue | None = None,
        batch_writer: BatchWriter | None = None,
    ) -> "EventCoordinator":
        """Build the coordinator with the cycle that the settings describe."""
        scraping = settings.scraping
        options = CycleOptions(
            reference=settings.reference,
            sports=scraping.sports,
            batch_size=scraping.batch_size,
            horizon=scraping.horizon,
            near_kickoff=settings.schedule.near_kickoff,
            eviction_grace=scraping.eviction_grace,
            store_within=scraping.store_within.total_seconds(),
            interval=settings.schedule.short_interval,
        )
        return cls(context, options, write_queue, batch_writer)

    @property
    def near_kickoff(self) -> timedelta:
        """Return how long before its kick-off an event is asked for in a near run; may be changed."""
        return self._options.near_kickoff

    @near_kickoff.setter
    def near_kickoff(self, value: timedelta) -> None:
        self._options = msgspec.structs.replace(self._options, near_kickoff=value)

    def rematch(self, sr_ids: Collection[int]) -> None:
        """Match the listings of these events once more; what that changed is written with the next run."""
        update = rematch(self._context.book, sr_ids, self._precedence(), self._context.clock.now())
        self._owed = _joined(self._owed, update)

    async def close_open_runs(self) -> None:
        """Store the runs that an earlier process left open as interrupted; while the disk refuses, that is owed."""
        self._owed_runs += self._context.runs.close_open()
        await self._close_owed_runs()

    async def _close_owed_runs(self) -> None:
        while self._owed_runs:
            run = self._owed_runs[0]
            try:
                await self.store.write(WriteBatch(scrape_run_id=run.run_id, batch_index=0, run=run))
            except JournalWriteError as error:
                _log.warning("open_runs_not_closed", runs=len(self._owed_runs), error=str(error))
                return
            self._owed_runs.pop(0)

    async def run_full_cycle(
        self, run: ScrapeRun | None = None, targets: Sequence[EventTarget] | None = None
    ) -> ScrapeRun:
        """Scrape everything once, or, in a run of kind `near`, the known events close to kick-off.

        Returns the finished run; a near run does not discover, nor does one that is handed its targets.
        """
        run = run or self._context.runs.begin(RunKind.CYCLE)
        with structlog.contextvars.bound_contextvars(run=run.run_id):
            return await self._cycle(run, targets)

    async def _cycle(self, run: ScrapeRun, targets: Sequence[EventTarget] | None) -> ScrapeRun:
        tally = RunTally()
        self._context.progress.publish(RunStarted(run=run))
        try:
            chosen = await self._chosen(run, tally, targets)
            await self._scrape_all(run, tally, chosen)
        except asyncio.CancelledError:
            await self._finish(run, tally, RunStatus.INTERRUPTED)
            raise
        except Exception as error:  # noqa: BLE001 - supervision point: a run always ends, and says how
            _log.error("cycle_failed", exc_info=error)
            tally.errors[ErrorClass.INTERNAL] += 1
            return await self._finish(run, tally, RunStatus.FAILED)
        self._evict_started()
        return await self._finish(run, tally, RunStatus.INTERRUPTED if self._ending else None)

    def end_early(self) -> None:
        """Count the run under way as interrupted: nothing more is asked for, and what comes is stored."""
        self._ending = True

    async def scrape_event(self, sr_id: int, run: ScrapeRun | None = None) -> ScrapeRun:
        """Scrape one event at every bookmaker that lists it; return the finished run.

        Raises:
            UnknownEventError: nobody lists it.
        """
        event = self._context.book.event(sr_id)
        listings = self._context.book.listings_of(sr_id)
        offered = {slug: listing for slug, listing in listings.items() if slug in self._context.sources}
        if event is None or not offered:
            raise UnknownEventError(sr_id)
        run = run or self._context.runs.begin(RunKind.EVENT)
        tally = RunTally()
        with structlog.contextvars.bound_contextvars(run=run.run_id):
            await self._scrape_all(run, tally, [EventTarget(event=event, listings=offered)])
            return await self._finish(run, tally)

    async def scrape_batch(self, run: ScrapeRun, targets: Iterable[EventTarget]) -> Sequence[EventResult]:
        """Fetch all listings of a batch at once, within the bookmakers' limits; failures come back as results."""
        return await asyncio.gather(*self._scrapes(run, targets))

    async def store_batch_results(
        self, run: ScrapeRun, batch_index: int, results: Sequence[EventResult], tally: RunTally
    ) -> Stored:
        """Classify a batch against the cache, update the cache, hand what changed to the write path."""
        for result in results:
            note_fetched(result, batch_index)
        book = self._context.book
        current = [result for result in results if book.is_listed(result.sr_id, result.bookmaker, result.listing_id)]
        rephased = tuple(_rephased(book, current))
        self._owed = _joined(self._owed, BookUpdate(events=rephased, listings=()))
        with self._stores_first.storing():
            stored = await self.store.store(run, batch_index, current, tally, self._options.reference, rephased)
        self._context.progress.publish(stored)
        _log.info("batch_stored", **msgspec.to_builtins(stored))
        return stored

    async def _discover(self, run: ScrapeRun, tally: RunTally) -> Sequence[EventTarget]:
        context, options = self._context, self._options
        began = context.clock.monotonic()
        sweep = await discover(context.sources, options.sports)
        now = context.clock.now()
        for update in entering(context.book, sweep, self._precedence(), now, options.eviction_grace, self._gone):
            self._owed = _joined(self._owed, update)
            await asyncio.sleep(0)
        self._owed = _joined(self._owed, await self._resolve())
        _count_sweep(sweep, tally)
        context.runs.note_lists(list_figures(context.sources, sweep, now, self._absences.untrusted()))
        await self._write_or_count(run, tally)
        await self._withdraw(run, tally, clean_bookmakers(sweep))
        targets = self._targets(options.horizon)
        self._announce(run, targets, len(sweep.failures), began)
        tally.discovery_ms = (context.clock.monotonic() - began) * 1000
        return targets

    def _gone(self, sweep: Sweep, missing: Sequence[KnownListing]) -> Sequence[KnownListing]:
        return self._absences.gone(sweep, missing, self._context.clock.monotonic())

    async def _withdraw(self, run: ScrapeRun, tally: RunTally, clean: Collection[str]) -> None:
        """Withdraw the prices of listings that have left their events."""
        context = self._context
        found = iter(
            list(withdrawals(context.book, context.cache, clean, context.clock.now(), context.clock.monotonic()))
        )
        while some := tuple(islice(found, self._options.batch_size)):
            await self._store_or_count(tally, self.store.withdraw(run, tally.next_batch(), some, tally))

    async def _chosen(
        self, run: ScrapeRun, tally: RunTally, targets: Sequence[EventTarget] | None
    ) -> Sequence[EventTarget]:
        if targets is not None:
            self._announce(run, targets, 0, self._context.clock.monotonic())
            return targets
        return await self._discover(run, tally) if run.kind is RunKind.CYCLE else self._near(run)

    def _near(self, run: ScrapeRun) -> Sequence[EventTarget]:
        targets = self._targets(self._options.near_kickoff)
        self._announce(run, targets, 0, self._context.clock.monotonic())
        return targets

    def _targets(self, horizon: timedelta | None) -> Sequence[EventTarget]:
        context = self._context
        return choose_targets(context.book, context.clock.now(), horizon, frozenset(context.sources))

    def _announce(self, run: ScrapeRun, targets: Sequence[EventTarget], failed_calls: int, began: float) -> None:
        clock = self._context.clock
        discovered = Discovered(
            run_id=run.run_id,
            events=len(targets),
            targets={slug: sum(slug in target.listings for target in targets) for slug in self._context.sources},
            failed_calls=failed_calls,
            duration_ms=round((clock.monotonic() - began) * 1000, 1),
        )
        self._context.progress.publish(discovered)
        _log.info("discovery_finished", **msgspec.to_builtins(discovered))

    async def _resolve(self) -> BookUpdate:
        """Give unmatched listings the id that their own body names, and match once more."""
        book, now = self._context.book, self._context.clock.now()
        found = {_key(known): known for known in await self._resolver.resolve(book)}
        if not found:
            return BookUpdate(events=(), listings=())
        sr_ids = {known.listing.sr_id for known in found.values()}
        current = [
            found.get(_key(known), known)
            for known in book.known()
            if known.gone_at is None and (_key(known) in found or known.listing.sr_id in sr_ids)
        ]
        return enter_listings(book, current, self._precedence(), now)

    async def _scrape_all(self, run: ScrapeRun, tally: RunTally, targets: Sequence[EventTarget]) -> None:
        tally.events = len(targets)
        batches = batches_of(targets, self._options.batch_size)
        began = self._context.clock.monotonic()
        async with aclosing(self._scraped(run, batches)) as scraped:
            async for results in scraped:
                await self._store_or_count(tally, self.store_batch_results(run, tally.next_batch(), results, tally))
        tally.scraping_ms = (self._context.clock.monotonic() - began) * 1000

    async def _scraped(
        self, run: ScrapeRun, batches: Iterable[Sequence[EventTarget]]
    ) -> AsyncGenerator[Sequence[EventResult], None]:
        """Yield the batches' results as they come, with the next ones already under way."""
        upcoming, landing = iter(batches), Landing(self._options.store_within)
        flying = deque(self._launch(run, batch, landing) for batch in islice(upcoming, _BATCHES_UNDER_WAY))
        try:
            while flying:
                results = await landing.lot(flying[0])
                over = flying[0].done()
                if results:
                    yield results
                if over:
                    flying.popleft().result()
                    # Only now: a batch begins with a burst of requests, which would keep the store from its turn.
                    flying.extend(self._launch(run, batch, landing) for batch in islice(upcoming, 1))
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    def _launch(self, run: ScrapeRun, batch: Sequence[EventTarget], landing: Landing) -> asyncio.Task[None]:
        return asyncio.create_task(self._scrape_onto(landing, run, batch), name=f"scrape-run-{run.run_id}")

    async def _scrape_onto(self, landing: Landing, run: ScrapeRun, targets: Iterable[EventTarget]) -> None:
        async def land(scrape: Coroutine[Any, Any, EventResult]) -> None:
            landing.put(await scrape)

        async with asyncio.TaskGroup() as group:
            for number, scrape in enumerate(self._scrapes(run, targets), 1):
                group.create_task(land(scrape))
                if number % _STARTED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _scrapes(self, run: ScrapeRun, targets: Iterable[EventTarget]) -> Iterator[Coroutine[Any, Any, EventResult]]:
        for target in targets:
            for slug in target.listings:
                yield self._scrape(run, self._context.sources[slug], target.event.sr_id, target)

    async def _scrape(self, run: ScrapeRun, source: Source, sr_id: int, target: EventTarget) -> EventResult:
        context = self._context
        scraped = await scrape_listing(source, sr_id, target.listings[source.slug], context.clock, self._stores_first)
        result = prepared_result(scraped, context.cache, context.catalogue, context.clock)
        self._context.progress.publish(
            Scraped(
                run_id=run.run_id,
                sr_id=sr_id,
                bookmaker=source.slug,
                duration_ms=result.duration_ms,
                bytes=result.bytes,
                error_class=result.error_class,
            )
        )
        return result

    async def _store_or_count(self, tally: RunTally, storing: Awaitable[object]) -> None:
        try:
            await storing
        except Exception as error:  # noqa: BLE001 - supervision point: entries stay unaccepted and come again
            _count_storage_failure(tally, error)

    async def _write_or_count(self, run: ScrapeRun, tally: RunTally) -> None:
        """Write the run's state and what the event book owes the database."""
        owed = self._owed
        if self._owed_runs:
            await self._close_owed_runs()
        batch = WriteBatch(
            scrape_run_id=run.run_id,
            batch_index=tally.next_batch(),
            events=owed.events,
            listings=owed.listings,
            run=run,
        )
        try:
            await self.store.write(batch)
        except Exception as error:  # noqa: BLE001 - supervision point: what is owed is written with the next run
            _count_storage_failure(tally, error)
        else:
            if self._owed is owed:
                self._owed = BookUpdate(events=(), listings=())

    async def _finish(self, run: ScrapeRun, tally: RunTally, status: RunStatus | None = None) -> ScrapeRun:
        ended = tally.finished(run, self._context.clock, status)
        await self._write_or_count(ended, tally)
        # Last, without an await behind it: who sees the run ended may start the next.
        self._context.runs.update(ended)
        self._context.runs.note(ended.run_id, tally.detail())
        self._context.progress.publish(RunFinished(run=ended))
        _log.info("run_finished", **msgspec.to_builtins(ended))
        return ended

    def _evict_started(self) -> None:
        context = self._context
        clock = context.clock
        started = context.book.drop_started(clock.now(), clock.monotonic(), self._options.eviction_grace)
        if started:
            _log.info("events_evicted", events=len(started), cached=context.cache.evict(started))

    def _precedence(self) -> Sequence[str]:
        reference = self._options.reference
        return (reference, *(slug for slug in self._context.sources if slug != reference))


def _joined(*updates: BookUpdate) -> BookUpdate:
    return BookUpdate(
        events=tuple(event for update in updates for event in update.events),
        listings=tuple(listing for update in updates for listing in update.listings),
    )


def _key(known: KnownListing) -> tuple[str, str]:
    return (known.listing.bookmaker, known.listing.listing_id)


def _rephased(book: EventRegister, results: Iterable[EventResult]) -> Iterator[Event]:
    """Note which events the bodies show in play, and yield those of which that is news."""
    for result in results:
        if result.offer is not None and (result.offer.live or result.offer.complete):
            at, live = result.scraped_at, result.offer.live
            event = book.note_phase(result.sr_id, result.bookmaker, at, live=live)
            if event is not None:
                yield event


def _count_sweep(sweep: Sweep, tally: RunTally) -> None:
    for league in sweep.leagues:
        tally.count(league.bookmaker, "listings", len(league.listings))
        tally.count(league.bookmaker, "dropped", sum(dropped.count for dropped in league.dropped))
        tally.count(league.bookmaker, "unreadable", league.unreadable)
        tally.count(league.bookmaker, "unlisted", league.unlisted)
        if not league.whole:
            tally.errors[ErrorClass.MALFORMED] += 1
    for failure in sweep.failures:
        tally.fail(failure.bookmaker, "discovery_failed", failure.error_class)
        _log.warning("discovery_call_failed", bookmaker=failure.bookmaker, league=failure.league, error=failure.message)


def _count_storage_failure(tally: RunTally, error: Exception) -> None:
    tally.errors[ErrorClass.STORAGE] += 1
    unforeseen = None if isinstance(error, OverroundError) else error
    _log.error("batch_not_stored", error=repr(error), exc_info=unforeseen)
