"""Starting scrape runs from outside: one cycle at a time in the background, single events on demand."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from overround.batch import RunKind, ScrapeRun
from overround.errors import NothingToRetryError, OwnedElsewhereError, RunInProgressError, UnknownRunError
from overround.ports import EventScrape
from overround.scraping.catching_up import CatchUp
from overround.scraping.event_coordinator import EventCoordinator, ScrapeContext
from overround.scraping.on_demand import OnDemandScraper
from overround.scraping.progress import Progress
from overround.scraping.runs import RunDetail
from overround.scraping.targets import EventTarget, failed_targets

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

    def runs(self) -> Sequence[ScrapeRun]:
        """Return the newest runs, the one under way included, newest first."""
        return self._runs.newest()

    async def stop(self) -> None:
        """End whatever is being scraped."""
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
