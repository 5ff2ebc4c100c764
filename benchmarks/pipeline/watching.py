"""Watches an event loop while it works: how late its timers are, and how deep the queue is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from overround.clock import SystemClock

_BEAT = 0.002  # seconds
_DEPTH_EVERY = 10  # beats


class Watch:
    """Notes the lateness of a timer, in milliseconds, and now and then a depth.

    `busy_ms` is how much of the lateness the event loop's thread has spent working: the rest is the machine's, which
    had other things to do.
    """

    def __init__(self, depth: Callable[[], int]) -> None:
        self._depth = depth
        self._clock = SystemClock()
        self.lateness_ms: list[float] = []
        self.busy_ms: list[float] = []
        self.depths: list[float] = []

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch for the time of a `with` block."""
        task = asyncio.create_task(self._beat(), name="benchmark-watch")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _beat(self) -> None:
        beats = 0
        while True:
            due, worked = self._clock.monotonic() + _BEAT, time.thread_time()
            await self._clock.sleep(_BEAT)
            late = max(0.0, self._clock.monotonic() - due)
            self.lateness_ms.append(late * 1000)
            self.busy_ms.append(min(late, time.thread_time() - worked) * 1000)
            if beats % _DEPTH_EVERY == 0:
                self.depths.append(self._depth())
            beats += 1
