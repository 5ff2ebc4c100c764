"""One size in a process of its own: the real coordinator, cache and write queue, on bodies in memory.

`python -m benchmarks.pipeline.growing JSON` prints a `GrowthPoint`. Bookmakers beyond those that there are, are the
same ones under other names; events beyond the simulated ones have the bodies of those. Without a database, batches are
encoded, journalled in memory, decoded, and dropped.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import aiohttp
import msgspec
import psutil
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.normalise import DECODERS
from benchmarks.pipeline.bodies import Collector, ListingBodies, MemoryClient, Template
from benchmarks.pipeline.records import Extent
from benchmarks.pipeline.results import GrowthPoint
from benchmarks.pipeline.stage import running_bookmakers
from benchmarks.pipeline.yardstick import Yardstick
from overround.bookmakers.kit.simulation import Size
from overround.bookmakers.registry import load_bookmakers
from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import load_catalogue
from overround.clock import OffsetClock, SystemClock
from overround.db import migrate
from overround.db.embedded import running_postgres
from overround.db.engine import create_engine
from overround.db.repositories import BookmakerRepository
from overround.errors import OverroundError
from overround.logs import configure_logs
from overround.ports import WriteHandler
from overround.records.event import Listing, ListingLink
from overround.records.writing import StampedBatch, WriteReport
from overround.runtime import settled
from overround.scraping.event_coordinator import CycleOptions, EventCoordinator, ScrapeContext
from overround.scraping.event_scrape import Source
from overround.scraping.runs import RunBook
from overround.simulator.model.parameters import EPOCH
from overround.storage.journal.memory import MemoryJournal
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from overround.streaming.progress import ProgressHub
from overround.testing import MemoryWriteHandler

_SIMULATED = 100  # events, of which those serve as templates that do not start soon
_TEMPLATES = 30
_NOT_SOON = timedelta(hours=6)
_AHEAD = timedelta(days=3)
_JOURNAL_BYTES = 2**30
_MB = 2**20


class PointRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which size is measured, over so many warm cycles."""

    events: int
    bookmakers: int
    cycles: int = 2
    seed: int = 1
    size: Size = Size.AUDIT
    database: bool = False


class Sink(MemoryWriteHandler):
    """Implements the `WriteHandler` port: takes everything, keeps nothing."""

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Count."""
        del generation, confirmed
        return WriteReport(
            batches=len(batches),
            snapshots=sum(len(one.batch.snapshots) for one in batches),
            markets=sum(len(snapshot.markets) for one in batches for snapshot in one.batch.snapshots),
            confirmed=sum(len(one.batch.confirmed) for one in batches),
        )


class _Desk:
    """Everything between a body and the write handler."""

    def __init__(self, request: PointRequest, templates: Mapping[str, Sequence[Template]]) -> None:
        self.clock = OffsetClock(EPOCH)
        self.catalogue = load_catalogue()
        self.book = EventRegister()
        self.yardstick = Yardstick()
        self.clients: list[MemoryClient] = []
        plugins, known = load_bookmakers(), sorted(templates)
        sources = {}
        for number in range(request.bookmakers):
            real = known[number % len(known)]
            slug = f"{real}x{number}"
            bodies = ListingBodies(plugins[real].normaliser(self.catalogue))
            watch = partial(self.yardstick.watch, DECODERS[real])
            listings = self._listings(slug, request.events)
            client = MemoryClient(listings, templates[real], self.clock, bodies.known, watch)
            self.clients.append(client)
            sources[slug] = Source(slug=slug, client=client, reader=bodies)
        self.slugs = tuple(sources)
        self.context = ScrapeContext(
            sources=sources,
            cache=OddsCache(),
            book=self.book,
            runs=RunBook(self.clock),
            catalogue=self.catalogue,
            clock=self.clock,
            progress=ProgressHub(),
        )

    def coordinator(self, queue: AsyncWriteQueue[AsyncEngine | None]) -> EventCoordinator:
        """Return the coordinator."""
        options = CycleOptions(
            reference=self.slugs[0],
            sports=("football",),
            batch_size=50,
            horizon=None,
            near_kickoff=timedelta(hours=3),
            eviction_grace=timedelta(hours=2),
        )
        return EventCoordinator(self.context, options, queue)

    def _listings(self, slug: str, events: int) -> list[Listing]:
        """Return listings that are linked by hand, so that the number in a template's body does not matter."""
        listings = []
        for sr_id in range(1, events + 1):
            self.book.link(
                ListingLink(bookmaker=slug, listing_id=str(sr_id), sr_id=sr_id, reason="benchmark", linked_at=EPOCH)
            )
            listings.append(
                Listing(
                    bookmaker=slug,
                    listing_id=str(sr_id),
                    sr_id=sr_id,
                    sport="football",
                    home=f"Northern {sr_id}",
                    away=f"Southern {sr_id}",
                    kickoff=EPOCH + _AHEAD,
                    country="Utopia",
                    tournament="First League",
                    linked=True,
                )
            )
        return listings


async def measure(request: PointRequest) -> GrowthPoint:
    """Run a cold cycle and the warm ones."""
    desk = _Desk(request, await _templates(request))
    async with _queue(request, desk) as queue:
        coordinator = desk.coordinator(queue)
        before = _rss()
        await _cycle(coordinator, queue, desk, 0)
        rounds = [await _cycle(coordinator, queue, desk, number) for number in range(1, request.cycles + 1)]
        after = _rss()
    snapshots = desk.context.cache.stats().snapshots
    seconds, cpu, decode = (statistics.median(values) for values in zip(*rounds, strict=True))
    return GrowthPoint(
        events=request.events,
        bookmakers=request.bookmakers,
        snapshots=snapshots,
        cycle_ms=round(seconds * 1000, 1),
        cpu_us_per_snapshot=round(cpu * 1e6 / snapshots, 1),
        decode_us=round(decode * 1e6, 1),
        rss_mb=round(after / _MB, 1),
        bytes_per_snapshot=round((after - before) / snapshots),
    )


async def _cycle(
    coordinator: EventCoordinator, queue: AsyncWriteQueue[AsyncEngine | None], desk: _Desk, variant: int
) -> tuple[float, float, float]:
    """Run one cycle until everything is written; return its seconds, those of CPU, and those of a bare decoding."""
    for client in desk.clients:
        client.variant = variant
    desk.yardstick.taken()
    began, cpu = desk.clock.monotonic(), _cpu_seconds()
    run = await coordinator.run_full_cycle()
    await queue.drain()
    if run.status.value != "completed":
        raise OverroundError(f"a cycle in memory ended as {run.status.value}: {run.errors}")
    measuring, decode = desk.yardstick.taken()
    return desk.clock.monotonic() - began - measuring, _cpu_seconds() - cpu - measuring, decode


async def _templates(request: PointRequest) -> Mapping[str, Sequence[Template]]:
    extent = Extent(events=_SIMULATED, seed=request.seed, size=request.size)
    async with running_bookmakers(extent) as simulator, aiohttp.ClientSession() as session:
        found = await Collector(simulator, session).templates(_SIMULATED, ticks=2)
    later = {slug: [one for one in listed if one.listing.kickoff > EPOCH + _NOT_SOON] for slug, listed in found.items()}
    return {slug: listed[:_TEMPLATES] for slug, listed in later.items()}


@asynccontextmanager
async def _queue(request: PointRequest, desk: _Desk) -> AsyncIterator[AsyncWriteQueue[AsyncEngine | None]]:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(_database(desk)) if request.database else None

        def handler(given: AsyncEngine | None) -> WriteHandler:
            numbers = {slug: number for number, slug in enumerate(desk.slugs, 1)}
            return Sink() if given is None else PostgresWriteHandler(given, desk.catalogue, numbers, desk.clock)

        journal = MemoryJournal(SystemClock(), _JOURNAL_BYTES)
        await journal.open()
        queue = AsyncWriteQueue(session_factory=engine, journal=journal, handler=handler, clock=desk.clock)
        await queue.start()
        stack.push_async_callback(queue.stop, 30.0)
        yield queue


@asynccontextmanager
async def _database(desk: _Desk) -> AsyncIterator[AsyncEngine]:
    with tempfile.TemporaryDirectory(prefix="overround-growth-") as directory:
        async with running_postgres(Path(directory), ephemeral=True) as url:
            await migrate.upgrade(url)
            engine = create_engine(url, "overround benchmark")
            numbers = {number: (slug, slug) for number, slug in enumerate(desk.slugs, 1)}
            await BookmakerRepository(engine).register(numbers)
            try:
                yield engine
            finally:
                await engine.dispose()


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def main() -> None:
    """Measure the point that the argument describes."""
    configure_logs("critical")
    with settled():  # as the service is: else full collections grow with what is kept
        point = asyncio.run(measure(msgspec.json.decode(sys.argv[1], type=PointRequest)))
    sys.stdout.write(msgspec.json.encode(point).decode() + "\n")


if __name__ == "__main__":
    main()
