"""A client that asks again and again, and notes how long the answers take.

It asks for bodies as they are, unless said otherwise, and unpacks none: that would be its own time.
"""

import asyncio
import contextlib
import itertools
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.pipeline.bare_route import PATH
from benchmarks.pipeline.records import Spread, spread
from benchmarks.wire_client import GZIP, IDENTITY, WireClient, wire_client
from overround.clock import SystemClock

EVENTS = "/api/events?limit=50"
LAST_EVENTS = "/api/events?limit=100&sort=-kickoff"
METRICS = "/metrics"
_MOST = 500
_LOOK = 0.5  # seconds
_PAUSE = 0.01  # seconds, so that the client takes no core from those who are measured


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds from the request to the whole body, and how large the bodies are."""

    times_ms: Spread
    bytes: int
    per_second: float = 0.0


async def ask(address: str, path: str, times: int) -> Answers:
    """Ask so many times, one after the other, over one connection."""
    return await asyncio.to_thread(_ask, address, path, times)


def _ask(address: str, path: str, times: int) -> Answers:
    clock = SystemClock()
    with wire_client(address) as client:
        size = len(client.get(path))
        began = clock.monotonic()
        durations = [_timed(client, path) for _ in range(times)]
        took = clock.monotonic() - began
    return Answers(times_ms=spread(durations), bytes=size, per_second=round(times / took, 1))


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are kept in encoded form, in how much memory, and how long there was to wait for it."""

    events: int = 0
    seconds: float = 0.0
    bytes: int = 0


class _Turn(msgspec.Struct, frozen=True):
    """What is asked for when it is its turn, and where the times are noted."""

    paths: Iterator[str]
    durations: list[float]
    encoding: bytes = IDENTITY


class Meanwhile:
    """The answers that came while something else went on: the first page, its events, any event, and a bare route."""

    def __init__(self) -> None:
        self.pages: list[float] = []
        self.page_events: list[float] = []
        self.any_events: list[float] = []
        self.packed_events: list[float] = []
        self.bare: list[float] = []

    @contextlib.asynccontextmanager
    async def asking(self, address: str, *, events: bool) -> AsyncIterator[None]:
        """Ask during a `with` block, at most a hundred times a second: for the page, or for all in turns.

        Of the latter, any event is one that nobody has asked for before, for as long as there are such.
        """
        over = threading.Event()
        with wire_client(address) as client:
            turns = await asyncio.to_thread(self._turns, client, events=events)
            task = asyncio.create_task(asyncio.to_thread(_ask_in_turns, client, turns, over), name="asking")
            try:
                yield
            finally:
                over.set()
                await task

    def _turns(self, client: WireClient, *, events: bool) -> Sequence[_Turn]:
        pages = _Turn(itertools.repeat(EVENTS), self.pages)
        if not events:
            return [pages]
        every = itertools.cycle(every_event(client))  # as they are and packed, each event once
        shown = itertools.cycle([event_path(number) for number in event_numbers(client, EVENTS)])
        return [
            pages,
            _Turn(shown, self.page_events),
            _Turn(every, self.any_events),
            _Turn(every, self.packed_events, GZIP),
            _Turn(itertools.repeat(PATH), self.bare),
        ]


def _ask_in_turns(client: WireClient, turns: Sequence[_Turn], over: threading.Event) -> None:
    for turn in itertools.cycle(turns):
        turn.durations.append(_timed(client, next(turn.paths), turn.encoding))
        if over.wait(_PAUSE):
            return


def _timed(client: WireClient, path: str, encoding: bytes = IDENTITY) -> float:
    """Return the milliseconds that an answer took."""
    clock = SystemClock()
    began = clock.monotonic()
    client.get(path, encoding)
    return (clock.monotonic() - began) * 1000


async def ask_each(address: str, path: str) -> Spread:
    """Ask for each event of a page once, one after the other."""
    return await asyncio.to_thread(_ask_each, address, path)


def _ask_each(address: str, path: str) -> Spread:
    with wire_client(address) as client:
        return spread([_timed(client, event_path(number)) for number in event_numbers(client, path)])


async def until_encoded(address: str) -> Encoded:
    """Wait until the service, left alone, has encoded its events: until a round begun meanwhile finds nothing to do."""
    return await asyncio.to_thread(_until_encoded, address)


def _until_encoded(address: str) -> Encoded:
    clock = SystemClock()
    began, first, waiting = clock.monotonic(), None, threading.Event()
    with wire_client(address) as client:
        while True:
            found = _figures(client)
            rounds = found["overround_encoder_rounds_total"]
            first = rounds if first is None else first
            if rounds > first + 1 and not found["overround_encoded_last_round_events"]:
                break
            waiting.wait(_LOOK)
    return Encoded(
        events=int(found["overround_encoded_events"]),
        bytes=int(found["overround_encoded_bytes"]),
        seconds=round(clock.monotonic() - began, 1),
    )


def _figures(client: WireClient) -> Mapping[str, float]:
    families = text_string_to_metric_families(str(client.get(METRICS), "utf-8"))
    return {one.name: one.value for family in families for one in family.samples if not one.labels}


class _Numbered(msgspec.Struct, frozen=True):
    sr_id: int


class _Page(msgspec.Struct, frozen=True):
    events: Sequence[_Numbered]


def event_numbers(client: WireClient, path: str) -> Sequence[int]:
    """Return the SportRadar ids of a page's events."""
    return [event.sr_id for event in msgspec.json.decode(client.get(path), type=_Page).events]


def every_event(client: WireClient) -> Sequence[str]:
    """Return the addresses of all events, in an order that has nothing to do with when they are scraped."""
    found: list[int] = []
    while page := event_numbers(client, f"/api/events?limit={_MOST}&offset={len(found)}"):
        found += page
    random.Random(1).shuffle(found)  # noqa: S311 - a choice of requests
    return [event_path(number) for number in found]


def event_path(sr_id: int) -> str:
    """Return the address of a single event with all its markets."""
    return f"/api/events/{sr_id}"
