"""Starting scrape runs from outside: one cycle at a time in the background, single events on demand."""

import asyncio
from collections.abc import Sequence

import structlog

from overround.batch import RunKind, ScrapeRun
from overround.errors import RunInProgressError
from overround.ports import Clock
from overround.scraping.event_coordinator import EventCoordinator
from overround.scraping.progress import Progress, ProgressHub
from overround.scraping.runs import RunBook

_log = structlog.get_logger(__name__)


class ScrapeController:
    """Owns the task of the cycle under way."""

    def __init__(self, coordinator: EventCoordinator, runs: RunBook, progress: ProgressHub, clock: Clock) -> None:
        self._coordinator = coordinator
        self._runs = runs
        self._progress = progress
        self._clock = clock
        self._cycle: asyncio.Task[ScrapeRun] | None = None
        self._run_id = 0
        self._heard_at = clock.monotonic()

    def start_cycle(self) -> int:
        """Start a full cycle in the background and return its run id.

        Raises:
            RunInProgressError: a cycle is under way.
        """
        self._begin(RunKind.CYCLE)
        return self._run_id

    async def run_cycle(self, kind: RunKind = RunKind.CYCLE) -> ScrapeRun:
        """Run a cycle to its end and return the finished run.

        Raises:
            RunInProgressError: a cycle is under way.
        """
        # Whoever waits may be cancelled; the cycle belongs to this controller and goes on.
        return await asyncio.shield(self._begin(kind))

    def idle_seconds(self) -> float | None:
        """Return for how long the cycle under way has told nothing; None where there is none."""
        if self._cycle is None or self._cycle.done():
            return None
        return self._clock.monotonic() - self._heard_at

    async def scrape_event(self, sr_id: int) -> ScrapeRun:
        """Scrape one event at every bookmaker that lists it, and return the finished run.

        Raises:
            UnknownEventError: nobody lists it.
        """
        return await self._coordinator.scrape_event(sr_id)

    def runs(self) -> Sequence[ScrapeRun]:
        """Return the newest runs, the one under way included, newest first."""
        return self._runs.newest()

    async def cancel_cycle(self) -> None:
        """End the cycle under way, if any, as interrupted."""
        if self._cycle is not None and not self._cycle.done():
            self._cycle.cancel()
            await asyncio.gather(self._cycle, return_exceptions=True)

    def _begin(self, kind: RunKind) -> asyncio.Task[ScrapeRun]:
        if self._cycle is not None and not self._cycle.done():
            raise RunInProgressError(self._run_id)
        run = self._runs.begin(kind)
        self._run_id = run.run_id
        self._cycle = asyncio.create_task(self._observed(run), name=f"{kind}-{run.run_id}")
        self._cycle.add_done_callback(_report_failure)
        return self._cycle

    async def _observed(self, run: ScrapeRun) -> ScrapeRun:
        self._hear(None)
        with self._progress.listening(self._hear):
            return await self._coordinator.run_full_cycle(run)

    def _hear(self, _: Progress | None) -> None:
        self._heard_at = self._clock.monotonic()


def _report_failure(cycle: asyncio.Task[ScrapeRun]) -> None:
    if not cycle.cancelled() and (error := cycle.exception()) is not None:
        _log.error("cycle_died", task=cycle.get_name(), error=repr(error), exc_info=error)
