"""Places to make a request, whose number may change while they are taken; what is urgent goes ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from overround.bookmakers.lanes import is_urgent


class Places:
    """Hands out places in the order in which they are asked for, to the urgent ones first."""

    def __init__(self, allowed: Callable[[], int]) -> None:
        """Hand out as many as `allowed` says at the time; those taken stay taken when it falls."""
        self.in_use = 0
        self._allowed = allowed
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._urgent: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        urgent = is_urgent()
        before = self._urgent if urgent else self._urgent or self._waiting
        if not before and self.in_use < self._allowed():
            self.in_use += 1
            return
        place = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._waiting).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()  # it was handed over in the same moment
            raise

    def _leave(self) -> None:
        self.in_use -= 1
        while (waiting := self._urgent or self._waiting) and self.in_use < self._allowed():
            place = waiting.popleft()
            if not place.done():
                self.in_use += 1
                place.set_result(None)
