"""A client that asks again and again, and notes how long the answers take.

It asks for bodies as they are: unpacking what came compressed would be the client's time, and of one side alone.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence

import aiohttp
import msgspec

from overround.clock import SystemClock
from scripts.pipeline.bare_route import PATH
from scripts.pipeline.records import Spread, spread

EVENTS = "/api/events?limit=50"
LAST_EVENTS = "/api/events?limit=100&sort=-kickoff"
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
    """The answers that came while something else went on: the first page, single events of it, and a bare route."""

    def __init__(self) -> None:
        self.pages: list[float] = []
        self.events: list[float] = []
        self.bare: list[float] = []

    @contextlib.asynccontextmanager
    async def asking(self, address: str, *, events: bool) -> AsyncIterator[None]:
        """Ask during a `with` block, at most a hundred times a second: for the page, or for all three in turns."""
        task = asyncio.create_task(self._ask(address, events=events), name="asking")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, address: str, *, events: bool) -> None:
        clock = SystemClock()
        async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
            asked: list[tuple[Iterator[str], list[float]]] = [(itertools.repeat(EVENTS), self.pages)]
            if events:
                numbers = await event_numbers(session, EVENTS)
                asked.append((itertools.cycle([event_path(number) for number in numbers]), self.events))
                asked.append((itertools.repeat(PATH), self.bare))
            for paths, durations in itertools.cycle(asked):
                start = clock.monotonic()
                await _asked(session, next(paths))
                durations.append((clock.monotonic() - start) * 1000)
                await clock.sleep(_PAUSE)


async def ask_each(address: str, path: str) -> Spread:
    """Ask for each event of a page once, one after the other."""
    clock = SystemClock()
    durations = []
    async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
        for number in await event_numbers(session, path):
            start = clock.monotonic()
            await _asked(session, event_path(number))
            durations.append((clock.monotonic() - start) * 1000)
    return spread(durations)


async def event_numbers(session: aiohttp.ClientSession, path: str) -> Sequence[int]:
    """Return the SportRadar ids of a page's events."""
    async with session.get(path) as response:
        return [event["sr_id"] for event in (await response.json())["events"]]


def event_path(sr_id: int) -> str:
    """Return the address of a single event with all its markets."""
    return f"/api/events/{sr_id}"


async def _asked(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as response:
        response.raise_for_status()
        return len(await response.read())
