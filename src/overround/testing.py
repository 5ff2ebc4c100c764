"""Fakes that ship with the package, for its own tests and for those of plug-ins."""

import asyncio
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappush
from itertools import count


class ManualClock:
    """A clock that stands still but for `advance` and `sleep`; implements the `Clock` port.

    `sleep` takes no time: it moves the clock to the moment at which it ends. Of several sleepers the
    one that ends first goes on first.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int]] = []
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the instant that the clock shows."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the clock to the end of this sleep, once no other sleep ends before it."""
        self.slept.append(seconds)
        sleeper = (self._elapsed + seconds, next(self._order))
        heappush(self._sleepers, sleeper)
        try:
            await asyncio.sleep(0)
            while self._sleepers[0] != sleeper:  # noqa: ASYNC110 - an event could not know of sleepers still to come
                await asyncio.sleep(0)
            self._elapsed = max(self._elapsed, sleeper[0])
        finally:
            self._sleepers.remove(sleeper)
            heapify(self._sleepers)
