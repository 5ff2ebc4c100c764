"""How late the event loop is: what was to run now has to wait for whatever runs for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from overround.latency import LatencyWindow
from overround.ports import Clock
from overround.records.writing import Latency

_PERIOD = 0.05  # seconds


class LoopLag:
    """Sleeps over and over, and notes by how much each sleep was too long."""

    def __init__(self, clock: Clock) -> None:
        """Measure with a clock, which must be a real one: with any other this would not let go."""
        self._clock = clock
        self._window = LatencyWindow()

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure during the block."""
        task = asyncio.create_task(self._measure(), name="loop-lag")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def lag(self) -> Latency:
        """Return the distribution; its percentiles are over about the last minute."""
        return self._window.latency()

    async def _measure(self) -> None:
        while True:
            due = self._clock.monotonic() + _PERIOD
            await self._clock.sleep(_PERIOD)
            self._window.add(self._clock.monotonic() - due)
