"""A client that asks one address again and again, and notes how long the answers take.

It asks for bodies as they are: unpacking what came compressed would be the client's time, and of one side alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from overround.clock import SystemClock
from scripts.pipeline.records import Spread, spread

EVENTS = "/api/events?limit=50"
_AS_IT_IS = {"Accept-Encoding": "identity"}
_PAUSE = 0.01  # seconds, so that the client takes no core from those who are measured


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds from the request to the whole body, and how large the bodies are."""

    times_ms: Spread
    bytes: int
    per_second: float = 0.0


async def ask(address: str, path: str, times: int) -> Answers:
    """Ask so many times, one after the other, over one connection."""
    clock = SystemClock()
    async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
        size = await _asked(session, path)
        durations = []
        began = clock.monotonic()
        for _ in range(times):
            start = clock.monotonic()
            size = await _asked(session, path)
            durations.append((clock.monotonic() - start) * 1000)
        took = clock.monotonic() - began
    return Answers(times_ms=spread(durations), bytes=size, per_second=round(times / took, 1))


class Meanwhile:
    """The answers that came while something else went on."""

    def __init__(self) -> None:
        self.durations: list[float] = []

    @contextlib.asynccontextmanager
    async def asking(self, address: str, path: str) -> AsyncIterator[None]:
        """Ask during a `with` block, at most a hundred times a second."""
        task = asyncio.create_task(self._ask(address, path), name="asking")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, address: str, path: str) -> None:
        clock = SystemClock()
        async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
            while True:
                start = clock.monotonic()
                await _asked(session, path)
                self.durations.append((clock.monotonic() - start) * 1000)
                await clock.sleep(_PAUSE)


async def _asked(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as response:
        response.raise_for_status()
        return len(await response.read())
