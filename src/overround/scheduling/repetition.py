"""A job that runs again and again, by the monotonic clock: no step of the wall clock holds it up or doubles it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from overround.ports import Clock

_log = structlog.get_logger(__name__)


class Repetition:
    """Runs a job at the points of a grid, one run at a time; points that pass during a run are left out.

    A job that fails is logged, and runs again at the next point.
    """

    def __init__(
        self,
        job: Callable[[], Awaitable[None]],
        interval: timedelta,
        name: str,
        clock: Clock,
        *,
        first_after: timedelta = timedelta(0),
    ) -> None:
        """Build it; `name` is that of its task, `first_after` the time from its start to the first run."""
        self._job = job
        self._interval = interval.total_seconds()
        self._name = name
        self._clock = clock
        self._due = clock.monotonic() + first_after.total_seconds()
        self._paused = False
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=f"every-{self._name}")

    def stop(self) -> None:
        """End the loop, and the run under way with it."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def pause(self) -> None:
        """Begin no run until resumed; one under way goes on."""
        self._paused = True
        self._moved.set()

    def resume(self) -> None:
        """Go on at the next point of the grid."""
        self._paused = False
        self._skip_missed()
        self._moved.set()

    def set_interval(self, interval: timedelta) -> None:
        """Go by another interval, the first one from now."""
        self._interval = interval.total_seconds()
        self._due = self._clock.monotonic() + self._interval
        self._moved.set()

    def seconds_to_next_run(self) -> float:
        """Return the seconds to the next run that is due."""
        return max(0.0, self._due - self._clock.monotonic())

    async def _run(self) -> None:
        # A loop that a request has started (by a change of the settings) would carry that request's id for ever.
        structlog.contextvars.clear_contextvars()
        while True:
            await self._until_due()
            self._due += self._interval
            await self._run_job()
            self._skip_missed()

    async def _run_job(self) -> None:
        try:
            await self._job()
        except Exception as error:  # noqa: BLE001 - supervision point: a job may fail, its repetition may not
            _log.error("scheduled_job_failed", job=self._name, error=repr(error), exc_info=error)

    def _skip_missed(self) -> None:
        """Move to the first point that is still to come."""
        late = self._clock.monotonic() - self._due
        if late > 0:
            self._due += (late // self._interval + 1) * self._interval

    async def _until_due(self) -> None:
        while self._paused or self.seconds_to_next_run() > 0:
            self._moved.clear()
            if self._paused:
                await self._moved.wait()
            else:
                await self._sleep_unless_moved(self.seconds_to_next_run())

    async def _sleep_unless_moved(self, seconds: float) -> None:
        waits = (
            asyncio.create_task(self._clock.sleep(seconds), name=f"{self._name}-due"),
            asyncio.create_task(self._wait_for_move(), name=f"{self._name}-moved"),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _wait_for_move(self) -> None:
        await self._moved.wait()
