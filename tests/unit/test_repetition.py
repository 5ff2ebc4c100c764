"""A job on the monotonic clock: its grid, pauses, failures, and what a step of the wall clock does to it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from structlog.testing import capture_logs

from overround.scheduling.repetition import Repetition
from overround.testing import ManualClock

MINUTE = timedelta(minutes=1)


class Job:
    """Notes the monotonic seconds of each run; every run takes `takes` seconds, and calls `during`."""

    def __init__(self, clock: ManualClock, takes: float = 0.0) -> None:
        self.clock = clock
        self.takes = takes
        self.began: list[float] = []
        self.failure: Exception | None = None
        self.during: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    async def __call__(self) -> None:
        """Run once."""
        self.began.append(self.clock.monotonic())
        self.during()
        self._changed.set()
        if self.failure is not None:
            raise self.failure
        if self.takes:
            await self.clock.sleep(self.takes)

    async def ran(self, times: int) -> list[float]:
        """Wait for so many runs, and return when they began."""
        async with asyncio.timeout(10):
            while len(self.began) < times:
                self._changed.clear()
                await self._changed.wait()
        return self.began[:times]


async def test_the_first_run_is_at_once_and_the_next_on_the_grid() -> None:
    """Runs begin at once and then a minute apart."""
    job = Job(ManualClock())
    repetition = Repetition(job, MINUTE, "job", job.clock)
    repetition.start()
    assert await job.ran(3) == [0.0, 60.0, 120.0]
    repetition.stop()


async def test_points_that_pass_during_a_run_are_left_out() -> None:
    """A run of 130 s with a point each minute is followed by the point at 180 s, not by two at once."""
    job = Job(ManualClock(), takes=130)
    repetition = Repetition(job, MINUTE, "job", job.clock)
    repetition.start()
    assert await job.ran(3) == [0.0, 180.0, 360.0]
    repetition.stop()


async def test_steps_of_the_wall_clock_neither_hold_up_nor_double_runs() -> None:
    """Two hours back, three days on and 200 days on between runs: the grid stays as it was."""
    job = Job(ManualClock())
    repetition = Repetition(job, MINUTE, "job", job.clock)
    repetition.start()
    for times, step in enumerate((timedelta(hours=-2), timedelta(days=3), timedelta(days=200)), 1):
        await job.ran(times)
        job.clock.step(step)
    assert await job.ran(5) == [0.0, 60.0, 120.0, 180.0, 240.0]
    repetition.stop()


async def test_a_job_that_fails_is_logged_and_runs_again() -> None:
    """A failure does not end the repetition."""
    job = Job(ManualClock())
    job.failure = ValueError("once")
    repetition = Repetition(job, MINUTE, "job", job.clock)
    with capture_logs() as logs:
        repetition.start()
        await job.ran(2)
    assert {log["event"] for log in logs} == {"scheduled_job_failed"}
    repetition.stop()


async def test_a_paused_job_begins_no_run_and_keeps_its_grid() -> None:
    """Resumed at 150 s, a job of every minute goes on at 180 s."""
    job = Job(ManualClock())
    repetition = Repetition(job, MINUTE, "job", job.clock)
    job.during = repetition.pause
    repetition.start()
    await job.ran(1)
    job.during = lambda: None
    job.clock.advance(150)
    repetition.resume()
    assert repetition.seconds_to_next_run() == 30.0
    assert await job.ran(2) == [0.0, 180.0]
    repetition.stop()


async def test_another_interval_counts_from_now() -> None:
    """With another interval the next run is one such interval away."""
    job = Job(ManualClock())
    repetition = Repetition(job, MINUTE, "job", job.clock)
    job.during = lambda: repetition.set_interval(timedelta(seconds=5)) if len(job.began) == 1 else None
    repetition.start()
    assert await job.ran(3) == [0.0, 5.0, 10.0]
    repetition.stop()
