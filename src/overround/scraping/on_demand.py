"""Runs started from outside: one cycle at a time, single events with one fetch for all who ask at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec
import structlog

from overround.caching.odds_cache import OddsCache
from overround.errors import (
    CoolingDownError,
    NothingToRetryError,
    OwnedElsewhereError,
    RunInProgressError,
    UnknownRunError,
)
from overround.fetching.admission import urgent
from overround.ports import Clock, EventScrape, MarketChange
from overround.records.batch import RunKind, ScrapeRun
from overround.records.odds import REMOVED, MarketKey, MarketPrices
from overround.scraping.event_coordinator import EventCoordinator, ScrapeContext
from overround.scraping.run_targets import EventTarget, failed_targets
from overround.scraping.runs import ListFigures, RunDetail
from overround.scraping.start_up import CatchUp
from overround.streaming.progress import Progress

Prices = Mapping[str, Mapping[MarketKey, MarketPrices]]


class _Flight(msgspec.Struct, kw_only=True):
    """A scrape under way, with what was known before it."""

    task: asyncio.Task[ScrapeRun]
    before: Prices


class OnDemandScraper:
    """Scrapes single events; whoever asks for one that is being scraped gets the same run."""

    def __init__(self, coordinator: EventCoordinator, cache: OddsCache, clock: Clock, cool_down: timedelta) -> None:
        """Build it; an event is scraped again only `cool_down` after the end of its last scrape."""
        self._coordinator = coordinator
        self._cache = cache
        self._clock = clock
        self._cool_down = cool_down.total_seconds()
        self._flights: dict[int, _Flight] = {}
        self._ended: dict[int, float] = {}

    async def scrape(self, sr_id: int) -> EventScrape:
        """Scrape one event at every bookmaker that lists it, and return the run and what changed.

        Raises:
            UnknownEventError: nobody lists it.
            CoolingDownError: it was scraped on demand just before.
        """
        flight = self._flights.get(sr_id)
        shared = flight is not None
        if flight is None:
            self._refuse_while_cooling(sr_id)
            flight = self._launch(sr_id)
        # Whoever waits may give up; the scrape goes on for the others.
        run = await asyncio.shield(flight.task)
        return EventScrape(run=run, shared=shared, changes=changes_between(flight.before, self._prices(sr_id)))

    async def cancel(self) -> None:
        """End the scrapes under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _launch(self, sr_id: int) -> _Flight:
        with urgent():  # somebody waits for it: a cycle's requests, which nobody counts, can let it go ahead
            task = asyncio.create_task(self._coordinator.scrape_event(sr_id), name=f"scrape-event-{sr_id}")
        flight = self._flights[sr_id] = _Flight(task=task, before=self._prices(sr_id))
        task.add_done_callback(lambda done: self._land(sr_id, done))
        return flight

    def _land(self, sr_id: int, done: asyncio.Task[ScrapeRun]) -> None:
        del self._flights[sr_id]
        if not done.cancelled() and done.exception() is None:
            self._ended[sr_id] = self._clock.monotonic()

    def _refuse_while_cooling(self, sr_id: int) -> None:
        now = self._clock.monotonic()
        self._ended = {key: at for key, at in self._ended.items() if now - at < self._cool_down}
        ended = self._ended.get(sr_id)
        if ended is not None:
            raise CoolingDownError(sr_id, ended + self._cool_down - now)

    def _prices(self, sr_id: int) -> Prices:
        return {slug: cached.markets for slug, cached in self._cache.event(sr_id).items()}


def changes_between(before: Prices, after: Prices) -> tuple[MarketChange, ...]:
    """Return the markets whose prices or states differ, by bookmaker; what was not known before is `REMOVED` there."""
    return tuple(
        MarketChange(bookmaker=slug, key=key, before=known.get(key, REMOVED), after=prices)
        for slug, markets in after.items()
        for known in [before.get(slug, {})]
        if known is not markets
        for key, prices in sorted(markets.items())
        if known.get(key, REMOVED) != prices
    )


_log = structlog.get_logger(__name__)


class ScrapeController:
    """Owns the task of the cycle under way."""

    def __init__(
        self,
        coordinator: EventCoordinator,
        context: ScrapeContext,
        cool_down: timedelta,
        catch_up: CatchUp | None = None,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        """Build it; a single event is scraped on demand no sooner than `cool_down` after its last time.

        Nothing is scraped before the cache has caught up with the journal, where there is one. `permit` is called
        before each scrape, and raises an OwnedElsewhereError where another service is the one to scrape.
        """
        self._permit = permit
        self._coordinator = coordinator
        self._catch_up = catch_up
        self._book = context.book
        self._runs = context.runs
        self._progress = context.progress
        self._clock = context.clock
        self._on_demand = OnDemandScraper(coordinator, context.cache, context.clock, cool_down)
        self._cycle: asyncio.Task[ScrapeRun] | None = None
        self._run_id = 0
        self._heard_at = context.clock.monotonic()

    def start_cycle(self) -> int:
        """Start a full cycle in the background and return its run id.

        Raises:
            RunInProgressError: a cycle is under way.
            RecoveringError: the cache has not caught up yet.
            OwnedElsewhereError: another service owns the database.
        """
        self._require_caught_up()
        self._begin(RunKind.CYCLE)
        return self._run_id

    async def run_cycle(self, kind: RunKind = RunKind.CYCLE) -> ScrapeRun:
        """Run a cycle to its end, as soon as the cache has caught up, and return the finished run.

        Raises:
            RunInProgressError: a cycle is under way.
            OwnedElsewhereError: another service owns the database.
        """
        self._permit()
        if self._catch_up is not None:
            await self._catch_up.done.wait()
        # Whoever waits may be cancelled; the cycle belongs to this controller and goes on.
        return await asyncio.shield(self._begin(kind))

    def idle_seconds(self) -> float | None:
        """Return for how long the cycle under way has told nothing; None where there is none."""
        if self._cycle is None or self._cycle.done():
            return None
        return self._clock.monotonic() - self._heard_at

    def retry_failures(self, run_id: int) -> int:
        """Start a run over what a run did not get, in the background, and return the new run's id.

        Raises:
            UnknownRunError: there is no such run.
            NothingToRetryError: it has no failures whose events are to come.
            RunInProgressError: a cycle is under way.
            RecoveringError: the cache has not caught up yet.
            OwnedElsewhereError: another service owns the database.
        """
        self._require_caught_up()
        targets = self._failed_targets(run_id)
        if not targets:
            raise NothingToRetryError(run_id)
        self._begin(RunKind.RETRY, targets)
        return self._run_id

    async def scrape_event(self, sr_id: int) -> EventScrape:
        """Scrape one event at every bookmaker that lists it, and return what came of it.

        Raises:
            UnknownEventError: nobody lists it.
            CoolingDownError: it was scraped on demand just before.
            RecoveringError: the cache has not caught up yet.
            OwnedElsewhereError: another service owns the database.
        """
        self._require_caught_up()
        return await self._on_demand.scrape(sr_id)

    def detail(self, run_id: int) -> RunDetail | None:
        """Return what is known of a run beyond its counts; None of a run of an earlier process."""
        return self._runs.detail(run_id)

    def lists(self, bookmaker: str) -> ListFigures | None:
        """Return what the newest discovery found in a bookmaker's lists; None before the first."""
        return self._runs.lists(bookmaker)

    def runs(self) -> Sequence[ScrapeRun]:
        """Return the newest runs, the one under way included, newest first."""
        return self._runs.newest()

    async def stop(self, landing: float = 0.0) -> None:
        """End whatever is being scraped, once what was asked for has come and is stored: at most `landing` seconds."""
        self._coordinator.end_early()
        if self._cycle is not None and landing:
            await asyncio.wait([self._cycle], timeout=landing)
        await self.cancel_cycle()
        await self._on_demand.cancel()

    async def cancel_cycle(self) -> None:
        """End the cycle under way, if any, as interrupted."""
        if self._cycle is not None and not self._cycle.done():
            self._cycle.cancel()
            await asyncio.gather(self._cycle, return_exceptions=True)

    async def stop_without_permit(self) -> None:
        """End what is being scraped where another service has turned out to be the one to scrape."""
        try:
            self._permit()
        except OwnedElsewhereError:
            await self.stop()

    def _require_caught_up(self) -> None:
        self._permit()
        if self._catch_up is not None:
            self._catch_up.require_done()

    def _failed_targets(self, run_id: int) -> Sequence[EventTarget]:
        detail = self._runs.detail(run_id)
        if detail is None and self._runs.find(run_id) is None:
            raise UnknownRunError(run_id)
        failed = {(failure.sr_id, failure.bookmaker) for failure in (detail.failures if detail else ())}
        return failed_targets(self._book, failed, self._clock.now())

    def _begin(self, kind: RunKind, targets: Sequence[EventTarget] | None = None) -> asyncio.Task[ScrapeRun]:
        if self._cycle is not None and not self._cycle.done():
            raise RunInProgressError(self._run_id)
        run = self._runs.begin(kind)
        self._run_id = run.run_id
        self._cycle = asyncio.create_task(self._observed(run, targets), name=f"{kind}-{run.run_id}")
        self._cycle.add_done_callback(_report_failure)
        return self._cycle

    async def _observed(self, run: ScrapeRun, targets: Sequence[EventTarget] | None) -> ScrapeRun:
        self._hear(None)
        with self._progress.listening(self._hear):
            return await self._coordinator.run_full_cycle(run, targets)

    def _hear(self, _: Progress | None) -> None:
        self._heard_at = self._clock.monotonic()


def _report_failure(cycle: asyncio.Task[ScrapeRun]) -> None:
    if not cycle.cancelled() and (error := cycle.exception()) is not None:
        _log.error("cycle_died", task=cycle.get_name(), error=repr(error), exc_info=error)
