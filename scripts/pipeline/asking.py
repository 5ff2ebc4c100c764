"""A client that asks again and again, and notes how long the answers take.

It asks for bodies as they are: unpacking what came compressed would be the client's time, and of one side alone.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from overround.clock import SystemClock
from scripts.pipeline.bare_route import PATH
from scripts.pipeline.records import Spread, spread

EVENTS = "/api/events?limit=50"
LAST_EVENTS = "/api/events?limit=100&sort=-kickoff"
METRICS = "/metrics"
_MOST = 500
_AS_IT_IS = {"Accept-Encoding": "identity"}
_LOOK = 0.5  # seconds
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


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are kept in encoded form, in how much memory, and how long there was to wait for it."""

    events: int = 0
    seconds: float = 0.0
    bytes: int = 0


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

        Of the latter, any event is one that nobody has asked for before, for as long as there are such.
        """
        async with aiohttp.ClientSession(address, headers=_AS_IT_IS) as session:
            asked: list[tuple[Iterator[str], list[float]]] = [(itertools.repeat(EVENTS), self.pages)]
            if events:
                every = await _every_event(session)
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


async def until_encoded(address: str) -> Encoded:
    """Wait until the service, left alone, has encoded its events: until a round begun meanwhile finds nothing to do."""
    clock = SystemClock()
    began, first = clock.monotonic(), None
    async with aiohttp.ClientSession(address) as session:
        while True:
            found = await _figures(session)
            rounds = found["overround_encoder_rounds_total"]
            first = rounds if first is None else first
            if rounds > first + 1 and not found["overround_encoded_last_round_events"]:
                break
            await clock.sleep(_LOOK)
    return Encoded(
        events=int(found["overround_encoded_events"]),
        bytes=int(found["overround_encoded_bytes"]),
        seconds=round(clock.monotonic() - began, 1),
    )


async def _figures(session: aiohttp.ClientSession) -> Mapping[str, float]:
    async with session.get(METRICS) as response:
        families = text_string_to_metric_families(await response.text())
    return {one.name: one.value for family in families for one in family.samples if not one.labels}


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
