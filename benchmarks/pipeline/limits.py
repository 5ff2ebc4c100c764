"""What this machine can do at all: bare decoding, a bare fetch, a bare route, each beside ours."""

import asyncio
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.normalise import DECODERS
from benchmarks.pipeline.asking import Answers, ask
from benchmarks.pipeline.bodies import Collector, MemoryClient, Template
from benchmarks.pipeline.records import Extent
from benchmarks.pipeline.results import Limits, Writer
from benchmarks.pipeline.stage import running_bookmakers
from overround.bookmakers.registry import load_bookmakers
from overround.caching.change_detection import BatchChanges, ChangedSnapshot, Prepared, prepare, update_cache
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue, load_catalogue
from overround.clock import OffsetClock, SystemClock
from overround.errors import OverroundError
from overround.fetching.known_bodies import UnchangedBodies
from overround.scraping.event_scrape import EventResult, Source, prepared_result, scrape_listing
from overround.scraping.precedence import Precedence
from overround.simulator.model.parameters import EPOCH

_EVENTS = 40
_ROUNDS = 15
_FETCH_ROUNDS = 3
_REQUESTS = 300
_WRITER = Path(__file__).resolve().parents[1] / "writer.py"


async def limits(extent: Extent, page_bytes: int) -> Limits:
    """Measure decoding and fetching on this extent's bodies, and a route that answers with so many bytes."""
    async with running_bookmakers(extent) as simulator, aiohttp.ClientSession() as session:
        collector = Collector(simulator, session)
        templates = await collector.templates(min(extent.events, _EVENTS), ticks=2)
        fetched = await _fetched_per_second(collector, min(extent.events, _EVENTS * 5))
    catalogue = load_catalogue()
    found = [await _Bench(slug, catalogue, listed).times() for slug, listed in templates.items()]
    return Limits(
        events=min(extent.events, _EVENTS),
        payload_bytes=round(
            sum(statistics.mean(len(one.bodies[1]) for one in listed) for listed in templates.values())
        ),
        decode_ms=round(sum(times.decode for times in found), 3),
        normalise_ms=round(sum(times.normalise for times in found), 3),
        new_ms=round(sum(times.new for times in found), 3),
        ours_ms=round(sum(times.ours for times in found), 3),
        packed_ms=round(sum(times.packed for times in found), 3),
        unchanged=round(
            statistics.mean(one.bodies[0] == one.bodies[1] for listed in templates.values() for one in listed), 3
        ),
        fetched_per_second=fetched,
        route=await bare_route(page_bytes),
    )


class _Times(msgspec.Struct, frozen=True, kw_only=True):
    """CPU milliseconds of one body: decoded bare, normalised, compared as new and as it really came, packed as well."""

    decode: float
    normalise: float
    new: float
    ours: float
    packed: float


class _Bench:
    """Times one bookmaker's bodies of the second tick, in turns, with the cache as the first tick left it."""

    def __init__(self, slug: str, catalogue: Catalogue, templates: Sequence[Template]) -> None:
        self._slug = slug
        self._catalogue = catalogue
        self._templates = templates
        self._clock = OffsetClock(EPOCH)
        self._cache = OddsCache()
        self._normaliser = load_bookmakers()[slug].normaliser(catalogue)
        self._clients: list[MemoryClient] = []
        self._remembering = self._source(kept=len(templates))
        self._forgetful = self._source(kept=0)
        self._precedence = Precedence()

    async def times(self) -> _Times:
        """Return the mean over bodies of each way's median."""
        for template in self._templates:
            self._learn(await self._taken_up(self._remembering, template))
        per_body = [await self._of(template) for template in self._templates]
        return _combined(per_body, statistics.mean)

    async def _of(self, template: Template) -> _Times:
        return _combined([await self._round(template) for _ in range(_ROUNDS)], statistics.median)

    async def _round(self, template: Template) -> _Times:
        body, at = template.bodies[1], self._clock.now()
        self._serve(0)
        await self._read(self._remembering, template)  # so that the other body is the newest known
        self._serve(1)
        return _Times(
            decode=await _timed(_calling(DECODERS[self._slug], body)),
            normalise=await _timed(_calling(self._normaliser.normalise, body, at)),
            new=await _timed(self._compared(self._forgetful, template)),
            ours=await _timed(self._compared(self._remembering, template)),
            packed=await _timed(self._taken_up(self._forgetful, template)),
        )

    def _source(self, kept: int) -> Source:
        bodies = UnchangedBodies(self._normaliser, kept)
        listings = [one.listing for one in self._templates]
        client = MemoryClient(listings, self._templates, self._clock, bodies.known)
        self._clients.append(client)
        return Source(slug=self._slug, client=client, reader=bodies)

    def _serve(self, variant: int) -> None:
        for client in self._clients:
            client.variant = variant

    async def _read(self, source: Source, template: Template) -> EventResult:
        sr_id = template.listing.sr_id or 0
        return await scrape_listing(source, sr_id, template.listing, self._clock, self._precedence)

    async def _compared(self, source: Source, template: Template) -> Prepared | None:
        result = await self._read(source, template)
        return None if result.snapshot is None else prepare(self._cache, result.snapshot)

    async def _taken_up(self, source: Source, template: Template) -> EventResult:
        return prepared_result(await self._read(source, template), self._cache, self._catalogue, self._clock)

    def _learn(self, result: EventResult) -> None:
        verdict = result.ahead.prepared.verdict if result.ahead is not None else None
        if not isinstance(verdict, ChangedSnapshot):
            raise OverroundError(f"{self._slug}: a body could not be read: {result.message}")
        update_cache(self._cache, BatchChanges(changed=(verdict,), confirmed=(), incomplete=(), overtaken=()))
        snapshot = verdict.snapshot
        self._cache.accept(snapshot.sr_id, snapshot.bookmaker, snapshot.snapshot_id)


def _combined(times: Sequence[_Times], how: Callable[[Sequence[float]], float]) -> _Times:
    return _Times(**{field: how([getattr(one, field) for one in times]) for field in _Times.__struct_fields__})


async def _calling(function: Callable[..., object], *arguments: object) -> None:
    function(*arguments)


async def _timed(work: Awaitable[object]) -> float:
    began = time.thread_time()
    await work
    return (time.thread_time() - began) * 1000


async def _fetched_per_second(collector: Collector, events: int) -> float:
    """Fetch all bodies of a fresh tick with aiohttp alone; return events (bodies of all bookmakers) a second."""
    clock, rates = SystemClock(), []
    for _ in range(_FETCH_ROUNDS):
        await collector.next_tick()
        listings = await collector.listings(events)
        began = clock.monotonic()
        await collector.bodies(listings)
        rates.append(max(map(len, listings.values())) / (clock.monotonic() - began))
    return round(statistics.median(rates), 1)


async def bare_route(size: int) -> Answers:
    """Ask a FastAPI route, in a process of its own, that does nothing but answer with so many bytes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.pipeline.bare_route", str(size)), stdin=PIPE, stdout=PIPE
    )
    try:
        line = await process.stdout.readline() if process.stdout is not None else b""
        return await ask(f"http://127.0.0.1:{int(line)}", "/", _REQUESTS)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def writer(events: int, cycles: int) -> Writer:
    """Run the write handler's own benchmark in a process of its own."""
    arguments = (str(_WRITER), "--events", str(events), "--cycles", str(cycles))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise OverroundError("the write handler's benchmark failed; what it said stands on stderr")
    return msgspec.json.decode(output, type=Writer)
