"""Two polling tiers and a watchdog: near events often, everything at a longer interval."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, timedelta

import msgspec
import structlog
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from overround.clock import SystemClock
from overround.ports import Clock
from overround.records.batch import RunKind
from overround.records.writing import FillState
from overround.scheduling.jobs import JobState, scrape_all_platforms
from overround.settings import ScheduleSettings

_CYCLE = "cycle"
_WATCHDOG = "watchdog"

# APScheduler lives by the machine's clock, also where the service's clock is set to another date.
_WALL_CLOCK = SystemClock()

_log = structlog.get_logger(__name__)


class SchedulePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How often: events close to kick-off every `short_interval`, everything every `long_interval`.

    A cycle that has told nothing for `stuck_after` is cancelled.
    """

    short_interval: timedelta
    long_interval: timedelta
    stuck_after: timedelta

    @classmethod
    def of(cls, schedule: ScheduleSettings) -> "SchedulePlan":
        """Return the plan that the settings describe; the long interval is never the shorter one."""
        return cls(
            short_interval=schedule.short_interval,
            long_interval=max(schedule.short_interval, schedule.long_interval),
            stuck_after=schedule.stuck_after,
        )


class SchedulerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Is the schedule running, and when does the next cycle begin."""

    running: bool
    paused: bool
    seconds_to_next_run: float | None
    short_interval_seconds: float
    long_interval_seconds: float


class ScrapeScheduler:
    """Runs a cycle every short interval; each covers everything when the long interval has passed."""

    def __init__(
        self,
        plan: SchedulePlan,
        state: JobState,
        clock: Clock,
        before_cycle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Build it; `before_cycle` is awaited before each scheduled cycle: a demo's market moves then."""
        self._before_cycle = before_cycle
        self._plan = plan
        self._state = state
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._paused = False
        self._left_out = False
        self._full_due_at = clock.monotonic()

    def start(self, *, cycles: bool = True) -> None:
        """Start; with `cycles`, the first cycle begins at once."""
        if cycles:
            trigger = IntervalTrigger(seconds=self._plan.short_interval.total_seconds(), timezone=UTC)
            self._scheduler.add_job(
                self._tick,
                trigger,
                id=_CYCLE,
                next_run_time=_WALL_CLOCK.now(),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        watch = IntervalTrigger(seconds=max(1.0, self._plan.stuck_after.total_seconds() / 4), timezone=UTC)
        self._scheduler.add_job(self._watch, watch, id=_WATCHDOG, misfire_grace_time=None)
        self._scheduler.start()

    def set_plan(self, plan: SchedulePlan) -> None:
        """Go by another plan; with another short interval, the next cycle begins one such from now."""
        moved, self._plan = plan.short_interval != self._plan.short_interval, plan
        if moved and self._job() is not None:
            trigger = IntervalTrigger(seconds=plan.short_interval.total_seconds(), timezone=UTC)
            self._scheduler.reschedule_job(_CYCLE, trigger=trigger)
            if self._paused:
                self._scheduler.pause_job(_CYCLE)

    def every(self, interval: timedelta, job: Callable[[], Awaitable[None]], name: str) -> None:
        """Run another job at once and at every interval."""

        async def run() -> None:
            with suppress(asyncio.CancelledError):  # by `stop`: no failure, which the library would log it as
                await job()

        trigger = IntervalTrigger(seconds=interval.total_seconds(), timezone=UTC)
        self._scheduler.add_job(
            run, trigger, id=name, next_run_time=_WALL_CLOCK.now(), misfire_grace_time=None, coalesce=True
        )

    def stop(self) -> None:
        """Start no more cycles; one under way is the scrape control's to end."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def pause(self) -> None:
        """Start no cycle until resumed."""
        self._paused = True
        if self._job() is not None:
            self._scheduler.pause_job(_CYCLE)

    def resume(self) -> None:
        """Go on with the schedule."""
        self._paused = False
        if self._job() is not None:
            self._scheduler.resume_job(_CYCLE)

    def status(self) -> SchedulerStatus:
        """Return whether it runs, and when it runs next."""
        job = self._job()
        at = job.next_run_time if job is not None else None
        now = _WALL_CLOCK.now()
        return SchedulerStatus(
            running=job is not None,
            paused=self._paused,
            seconds_to_next_run=None if at is None else round(max(0.0, (at - now).total_seconds()), 1),
            short_interval_seconds=self._plan.short_interval.total_seconds(),
            long_interval_seconds=self._plan.long_interval.total_seconds(),
        )

    def _job(self) -> Job | None:
        return self._scheduler.get_job(_CYCLE) if self._scheduler.running else None

    def _eases_off(self) -> bool:
        """Tell whether this turn is left out: while the journal fills up, only every second one is taken."""
        queue = self._state.write_queue
        slow = queue is not None and queue.stats().fill is not FillState.NORMAL
        self._left_out = slow and not self._left_out
        return self._left_out

    async def _tick(self) -> None:
        # A timer that was set by a request (to pause, to resume) would carry that request's id for ever.
        structlog.contextvars.clear_contextvars()
        if self._eases_off():
            _log.warning("cycle_left_out", reason="the journal is filling up")
            return
        began = self._clock.monotonic()
        if self._before_cycle is not None:
            await self._before_cycle()
        full = began >= self._full_due_at - self._plan.short_interval.total_seconds() / 2
        run = await scrape_all_platforms(self._state, RunKind.CYCLE if full else RunKind.NEAR)
        if full and run is not None:
            self._full_due_at = began + self._plan.long_interval.total_seconds()

    async def _watch(self) -> None:
        idle = self._state.control.idle_seconds()
        if idle is not None and idle > self._plan.stuck_after.total_seconds():
            _log.error("cycle_stuck", idle_s=round(idle, 1))
            await self._state.control.cancel_cycle()
