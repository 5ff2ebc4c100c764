"""The one place that reads the time; everything else is handed a Clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from overround.ports import Clock


class SystemClock:
    """Wall and monotonic time of this machine."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        """Wait that long on the event loop."""
        await asyncio.sleep(seconds)


def monotonic_at(clock: Clock, instant: datetime) -> float:
    """Return the monotonic seconds at which an instant was.

    The present for one that is still to come: it was noted by another clock, and is not older than that.
    """
    return clock.monotonic() - max(0.0, (clock.now() - instant).total_seconds())


def thread_seconds() -> float:
    """Return how long the calling thread has had a processor."""
    return time.thread_time()


class OffsetClock(SystemClock):
    """The system clock set to another date; it runs at the same rate but where it is moved, and never goes back.

    Recorded responses are of past matches: a service that replays them lives at their time. A
    simulated market has its own time too.
    """

    def __init__(self, start: datetime) -> None:
        self._offset: timedelta = start - super().now()
        self._skipped = 0.0

    def monotonic(self) -> float:
        """Return seconds that skip what `move_to` skips: whoever waits for a time to pass has waited then."""
        return super().monotonic() + self._skipped

    def now(self) -> datetime:
        """Return the present instant on the shifted clock."""
        return super().now() + self._offset

    def move_to(self, instant: datetime) -> None:
        """Go on from an instant; one that has passed on this clock leaves it as it is."""
        skipped = max(timedelta(0), instant - self.now())
        self._offset += skipped
        self._skipped += skipped.total_seconds()
