"""Starting scrape runs from outside: one cycle at a time in the background, single events on demand."""

import asyncio
from collections.abc import Sequence

import structlog

from overround.batch import RunKind, ScrapeRun
from overround.errors import RunInProgressError
from overround.scraping.event_coordinator import EventCoordinator
from overround.scraping.runs import RunBook

_log = structlog.get_logger(__name__)


class ScrapeController:
    """Owns the task of the cycle under way."""

    def __init__(self, coordinator: EventCoordinator, runs: RunBook) -> None:
        self._coordinator = coordinator
        self._runs = runs
        self._cycle: asyncio.Task[ScrapeRun] | None = None
        self._run_id = 0

    def start_cycle(self) -> int:
        """Start a full cycle in the background and return its run id.

        Raises:
            RunInProgressError: a cycle is under way.
        """
        self._begin()
        return self._run_id

    async def run_cycle(self) -> ScrapeRun:
        """Run a full cycle to its end and return the finished run.

        Raises:
            RunInProgressError: a cycle is under way.
        """
        return await self._begin()

    async def scrape_event(self, sr_id: int) -> ScrapeRun:
        """Scrape one event at every bookmaker that lists it, and return the finished run.

        Raises:
            UnknownEventError: nobody lists it.
        """
        return await self._coordinator.scrape_event(sr_id)

    def runs(self) -> Sequence[ScrapeRun]:
        """Return the newest runs, the one under way included, newest first."""
        return self._runs.newest()

    async def close(self) -> None:
        """Cancel the cycle under way, which ends as interrupted."""
        if self._cycle is not None and not self._cycle.done():
            self._cycle.cancel()
            await asyncio.gather(self._cycle, return_exceptions=True)

    def _begin(self) -> asyncio.Task[ScrapeRun]:
        if self._cycle is not None and not self._cycle.done():
            raise RunInProgressError(self._run_id)
        run = self._runs.begin(RunKind.CYCLE)
        self._run_id = run.run_id
        self._cycle = asyncio.create_task(self._coordinator.run_full_cycle(run), name=f"cycle-{run.run_id}")
        self._cycle.add_done_callback(_report_failure)
        return self._cycle


def _report_failure(cycle: asyncio.Task[ScrapeRun]) -> None:
    if not cycle.cancelled() and (error := cycle.exception()) is not None:
        _log.error("cycle_died", task=cycle.get_name(), error=repr(error), exc_info=error)
