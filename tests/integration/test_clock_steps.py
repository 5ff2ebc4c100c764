"""No clock reading freezes or reorders prices: what repeats over a step is stored once, in order, and confirmed."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.caching.warmup import warm_cache_from_db
from overround.catalogue import load_catalogue
from overround.db.repositories import BookmakerRepository, PostgresWarmupRepository
from overround.records.batch import ScrapeRun
from overround.records.writing import StampedBatch, Watermark, WriteReport
from overround.scraping.event_coordinator import EventCoordinator
from overround.scraping.start_up import CatchUp
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.watermarks import Watermarks
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from overround.testing import FakeDisk, ManualClock
from tests.integration.write_data import rows
from tests.support.database_desk import NUMBERS
from tests.support.desk import OPTIONS, START, Desk, listing, result_prices
from tests.support.forwarding import ForwardingHandler

STEPS = [timedelta(hours=-2), timedelta(days=3), timedelta(minutes=-10)]
KICKOFF = START + timedelta(days=30)
A, B = 2100, 2200
_HISTORY = """
select (price * 1000)::int from price_history
where market = 'match_result' and outcome = 'home' order by epoch, seq
"""
_LATEST = "select (price * 1000)::int, confirmed_at from prices where market = 'match_result' and outcome = 'home'"


class Away(ForwardingHandler):
    """A database that never answers."""

    async def register(self, generations: Sequence[uuid.UUID], *, late: bool = False) -> Mapping[uuid.UUID, Watermark]:
        """Wait."""
        del late
        return await self.watermarks(generations)

    async def watermarks(self, generations: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Watermark]:
        """Wait."""
        del generations
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Wait."""
        del batches, confirmed
        await self.watermarks([generation])
        raise AssertionError("nobody sets it")


class Service:
    """The running parts, and one event at one bookmaker."""

    def __init__(self, desk: Desk, queue: AsyncWriteQueue[None]) -> None:
        self.desk = desk
        self.queue = queue
        self.coordinator = EventCoordinator(desk.context, OPTIONS, queue)

    async def scrape(self, price: int) -> ScrapeRun:
        """Scrape once, some seconds later, while the bookmaker offers a price."""
        self.desk.clock.advance(10)
        self.desk.books["betpawa"].offer(listing("betpawa", "p1", kickoff=KICKOFF), result_prices(price))
        return await self.coordinator.run_full_cycle()


class Site:
    """A journal's disk and a database, between which services come and go."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.disk = FakeDisk()
        self.clock = ManualClock(START)
        self.missed: list[tuple[int, str]] = []

    @asynccontextmanager
    async def service(self, *, database: bool = True) -> AsyncIterator[Service]:
        """Start and stop as the service does, with or without its database."""
        desk, catalogue = Desk("betpawa", clock=self.clock), load_catalogue()
        journal = SegmentedJournal(self.disk, self.clock, max_bytes=10_000_000)
        real = PostgresWriteHandler(self.engine, catalogue, NUMBERS, self.clock)
        handler = ForwardingHandler(real) if database else Away(real)
        watermarks, caught_up = Watermarks(journal, handler, self.clock), asyncio.Event()
        await journal.open()
        await watermarks.recall()
        position = await (watermarks.look() if database else watermarks.remembered())
        await journal.release(position)
        await journal.keep(position)
        if database:
            repository, long_ago = PostgresWarmupRepository(self.engine, NUMBERS), START - timedelta(days=30)
            await warm_cache_from_db(repository, desk.cache, desk.book, catalogue, long_ago)
        queue = AsyncWriteQueue(
            session_factory=None,
            journal=journal,
            handler=lambda _: handler,
            clock=self.clock,
            on_missed=lambda *key: self.missed.append(key),
        )
        service = Service(desk, queue)
        async with CatchUp(journal, desk.context, caught_up, watermarks.epochs).running(
            service.coordinator.close_open_runs
        ):
            await queue.start(watermarks)
            yield service
        await queue.stop(5 if database else 0)
        await journal.close()

    async def history(self) -> list[object]:
        """Return the stored home prices in the order of their arrival."""
        return [price for (price,) in await rows(self.engine, _HISTORY)]

    async def latest(self) -> tuple[object, ...]:
        """Return the latest stored home price, and when it was last seen."""
        (row,) = await rows(self.engine, _LATEST)
        return row


@pytest.fixture
async def site(engine: AsyncEngine) -> Site:
    """Return a site with an empty disk and an empty database."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    return Site(engine)


async def stands(site: Site, service: Service, price: int, cycles: int = 10) -> None:
    """Hold that a price that does not move is confirmed by every cycle, and written by none."""
    await service.queue.drain()
    before = await rows(site.engine, "select count(*) from odds_snapshots")
    for _ in range(cycles):
        run = await service.scrape(price)
        counts = run.counts["betpawa"]
        assert (counts.changed, counts.confirmed, counts.overtaken) == (0, 1, 0)
    await service.queue.drain()
    assert await rows(site.engine, "select count(*) from odds_snapshots") == before
    assert await site.latest() == (price, site.clock.now())
    assert site.missed == []


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_in_process(site: Site, step: timedelta) -> None:
    """A, B, then the step, then A: each is in the history once, and the last one is confirmed by each cycle."""
    async with site.service() as service:
        for price in (A, B):
            await service.scrape(price)
        site.clock.step(step)
        await service.scrape(A)
        await stands(site, service, A)
        site.clock.step(-step)
        await service.scrape(B)
        await stands(site, service, B)
    assert await site.history() == [A, B, A, B]


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_over_a_restart(site: Site, step: timedelta) -> None:
    """The process before has stored A and B; this one lives at another time, and stores A and B again."""
    async with site.service() as service:
        for price in (A, B):
            await service.scrape(price)
    site.clock.step(step)
    async with site.service() as service:
        await service.scrape(A)
        await stands(site, service, A)
        await service.scrape(B)
        await service.queue.drain()
    assert await site.history() == [A, B, A, B]


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_over_restarts_without_the_database(site: Site, step: timedelta) -> None:
    """Two processes have journalled at different times; a third one, with the database, writes all in order."""
    async with site.service() as service:
        await service.scrape(A)
    async with site.service(database=False) as service:
        await service.scrape(B)
    site.clock.step(step)
    async with site.service(database=False) as service:
        await service.scrape(A)
        await service.scrape(B)
        await service.scrape(A)
    async with site.service() as service:
        await service.queue.drain()
        await stands(site, service, A)
    assert await site.history() == [A, B, A, B, A]


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_over_a_replay(site: Site, step: timedelta) -> None:
    """What the journal holds of before and after a step is taken over in its order: the cache has the last price."""
    async with site.service() as service:
        await service.scrape(A)
    async with site.service(database=False) as service:
        await service.scrape(B)
        site.clock.step(step)
        await service.scrape(A)
        await service.scrape(B)
    async with site.service() as service:
        cached = service.desk.cache.get(1, "betpawa")
        assert cached is not None
        assert [prices.prices[0] for prices in cached.markets.values()] == [B]
        await service.queue.drain()
        await stands(site, service, B)
    assert await site.history() == [A, B, A, B]


async def test_journals_take_turns_at_one_database(site: Site) -> None:
    """Services on the data directories one, two, one: the newest price is the latest, for the history too."""
    elsewhere = Site(site.engine)
    elsewhere.clock = site.clock
    async with site.service() as service:
        await service.scrape(A)
    async with elsewhere.service() as service:
        await service.scrape(B)
    async with site.service() as service:
        await service.scrape(A)
        await stands(site, service, A)
    assert await site.history() == [A, B, A]


async def test_an_older_copy_of_the_journal_costs_nothing(site: Site) -> None:
    """What is journalled after it was put back is a generation of its own, and no watermark covers it."""
    async with site.service() as service:
        await service.scrape(A)
    copy = site.disk.copy()
    async with site.service() as service:
        for price in (B, A, B):
            await service.scrape(price)
    site.disk = copy
    async with site.service(database=False) as service:
        for price in (A, B, A):
            await service.scrape(price)
    async with site.service() as service:
        await service.queue.drain()
    assert await site.history() == [A, B, A, B, A, B, A]
    assert (await site.latest())[0] == A
