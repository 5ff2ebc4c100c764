"""A client that asks again and again, and notes how long the answers take.

It asks for bodies as they are: unpacking what came compressed would be the client's time, and of one side alone.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Sequence

import aiohttp
import msgspec

from overround.clock import SystemClock
from scripts.pipeline.bare_route import PATH
from scripts.pipeline.records import Spread, spread

EVENTS = "/api/events?limit=50"
LAST_EVENTS = "/api/events?limit=100&sort=-kickoff"
_MOST = 500
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
    """The answers that came while something else went on: the first page, its events, any event, and a bare route."""

    def __init__(self) -> None:
        self.pages: list[float] = []
        self.page_events: list[float] = []
        self.any_events: list[float] = []
        self.bare: list[float] = []

    @contextlib.asynccontextmanager
    async def asking(self, address: str, *, events: bool) -> AsyncIterator[None]:
        """Ask during a `with` block, at most a hundred times a second: for the page, or for all four in turns.

        For the latter each event is asked for once before the block: its first answer is written from nothing.
        """
        async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
            asked: list[tuple[Iterator[str], list[float]]] = [(itertools.repeat(EVENTS), self.pages)]
            if events:
                every = await _every_event(session)
                for path in every:
                    await _asked(session, path)
                shown = [event_path(number) for number in await event_numbers(session, EVENTS)]
                asked.append((itertools.cycle(shown), self.page_events))
                asked.append((itertools.cycle(every), self.any_events))
                asked.append((itertools.repeat(PATH), self.bare))
            task = asyncio.create_task(_ask_in_turns(session, asked), name="asking")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _ask_in_turns(session: aiohttp.ClientSession, asked: Sequence[tuple[Iterator[str], list[float]]]) -> None:
    clock = SystemClock()
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


async def _every_event(session: aiohttp.ClientSession) -> Sequence[str]:
    """Return the addresses of all events, in an order that has nothing to do with when they are scraped."""
    found: list[int] = []
    while page := await event_numbers(session, f"/api/events?limit={_MOST}&offset={len(found)}"):
        found += page
    random.Random(1).shuffle(found)  # noqa: S311 - a choice of requests
    return [event_path(number) for number in found]


def event_path(sr_id: int) -> str:
    """Return the address of a single event with all its markets."""
    return f"/api/events/{sr_id}"


async def _asked(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as response:
        response.raise_for_status()
        return len(await response.read())
