"""Two polling tiers and a watchdog: near events often, everything at a longer interval."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog

from overround.clock import SystemClock
from overround.ports import Clock
from overround.records.batch import RunKind
from overround.records.writing import FillState
from overround.scheduling.jobs import JobState, scrape_all_platforms
from overround.scheduling.repetition import Repetition
from overround.settings import ScheduleSettings

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
        timer: Clock | None = None,
    ) -> None:
        """Build it; `before_cycle` is awaited before each scheduled cycle: a demo's market moves then.

        `timer` tells when a job is due: by default the machine's clock, because a demo's own clock skips time.
        """
        self._before_cycle = before_cycle
        self._plan = plan
        self._state = state
        self._clock = clock
        self._timer = timer or SystemClock()
        self._cycles: Repetition | None = None
        self._others: list[Repetition] = []
        self._paused = False
        self._left_out = False
        self._full_due_at = clock.monotonic()

    def start(self, *, cycles: bool = True) -> None:
        """Start; with `cycles`, the first cycle begins at once."""
        if cycles:
            self._cycles = Repetition(self._tick, self._plan.short_interval, "cycle", self._timer)
            self._cycles.start()
        watch = max(timedelta(seconds=1), self._plan.stuck_after / 4)
        self._others.append(Repetition(self._watch, watch, "watchdog", self._timer, first_after=watch))
        self._others[-1].start()

    def set_plan(self, plan: SchedulePlan) -> None:
        """Go by another plan; with another short interval, the next cycle begins one such from now."""
        moved, self._plan = plan.short_interval != self._plan.short_interval, plan
        if moved and self._cycles is not None:
            self._cycles.set_interval(plan.short_interval)

    def every(self, interval: timedelta, job: Callable[[], Awaitable[None]], name: str) -> None:
        """Run another job at once and at every interval."""
        self._others.append(Repetition(job, interval, name, self._timer))
        self._others[-1].start()

    def stop(self) -> None:
        """Start no more cycles; one under way is the scrape control's to end."""
        for one in (self._cycles, *self._others):
            if one is not None:
                one.stop()
        self._cycles, self._others = None, []

    def pause(self) -> None:
        """Start no cycle until resumed."""
        self._paused = True
        if self._cycles is not None:
            self._cycles.pause()

    def resume(self) -> None:
        """Go on with the schedule."""
        self._paused = False
        if self._cycles is not None:
            self._cycles.resume()

    def status(self) -> SchedulerStatus:
        """Return whether it runs, and when it runs next."""
        seconds = None if self._cycles is None or self._paused else self._cycles.seconds_to_next_run()
        return SchedulerStatus(
            running=self._cycles is not None,
            paused=self._paused,
            seconds_to_next_run=None if seconds is None else round(seconds, 1),
            short_interval_seconds=self._plan.short_interval.total_seconds(),
            long_interval_seconds=self._plan.long_interval.total_seconds(),
        )

    def _eases_off(self) -> bool:
        """Tell whether this turn is left out: while the journal fills up, only every second one is taken."""
        queue = self._state.write_queue
        slow = queue is not None and queue.stats().fill is not FillState.NORMAL
        self._left_out = slow and not self._left_out
        return self._left_out

    async def _tick(self) -> None:
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
