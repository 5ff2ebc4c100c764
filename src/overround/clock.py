"""The one place that reads the time; everything else is handed a Clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


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


class OffsetClock(SystemClock):
    """The system clock set to another date; it runs at the same rate.

    Recorded responses are of past matches: a service that replays them lives at their time.
    """

    def __init__(self, start: datetime) -> None:
        self._offset: timedelta = start - super().now()

    def now(self) -> datetime:
        """Return the present instant on the shifted clock."""
        return super().now() + self._offset
