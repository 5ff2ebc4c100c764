"""A desk on scripted bookmakers that writes to a real database through the real queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import load_catalogue
from overround.db.repositories import BookmakerRepository
from overround.records.batch import ScrapeRun, WriteBatch
from overround.records.writing import JournalEntry, QueueStats
from overround.scraping.event_coordinator import EventCoordinator
from overround.storage.journal.memory import MemoryJournal
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from tests.support.desk import OPTIONS, Desk, listing, result_prices

NUMBERS = {"betpawa": 1, "sportybet": 2, "bet9ja": 3}


class Gatekeeper:
    """The real queue behind a door that can be shut in several ways."""

    def __init__(self, queue: AsyncWriteQueue[AsyncEngine]) -> None:
        self.queue = queue
        self.refusals: list[Exception] = []
        self.awaits_before = 0
        self.awaits_after = 0

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Refuse, or pass on between a number of awaits."""
        if self.refusals:
            raise self.refusals.pop(0)
        for _ in range(self.awaits_before):
            await asyncio.sleep(0)
        entry = await self.queue.enqueue(batch)
        for _ in range(self.awaits_after):
            await asyncio.sleep(0)
        return entry

    async def drain(self) -> None:
        """Ask the real queue."""
        await self.queue.drain()

    def stats(self) -> QueueStats:
        """Ask the real queue."""
        return self.queue.stats()


class DatabaseDesk(Desk):
    """A desk that writes to a real database through the real queue."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self.engine = engine
        self.journal = MemoryJournal(self.clock, 10_000_000)
        self.queue = AsyncWriteQueue(
            session_factory=engine,
            journal=self.journal,
            handler=lambda engine: PostgresWriteHandler(engine, load_catalogue(), NUMBERS, self.clock),
            clock=self.clock,
            on_missed=self.cache.unaccept,
        )
        self.gate = Gatekeeper(self.queue)
        self.coordinator = EventCoordinator(self.context, OPTIONS, self.gate)

    async def cycle(self) -> ScrapeRun:
        """Run a cycle a minute later, and wait until the database has it."""
        self.clock.advance(60)
        run = await self.coordinator.run_full_cycle()
        await self.queue.drain()
        return run

    async def rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """Return a query's rows."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql), values)]

    async def home_prices(self, bookmaker: str = "betpawa") -> list[int]:
        """Return the distinct successive home prices of event 1 in history."""
        rows = await self.rows(
            "select (price * 1000)::int from price_history where event_id = 1 and market = 'match_result'"
            " and outcome = 'home' and bookmaker = :bookmaker order by epoch, seq",
            bookmaker=bookmaker,
        )
        return [int(str(row[0])) for row in rows]


@asynccontextmanager
async def running_desk(engine: AsyncEngine) -> AsyncIterator[DatabaseDesk]:
    """Give a desk with one match at two bookmakers, its queue running."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    desk = DatabaseDesk(engine)
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    desk.books["sportybet"].offer(listing("sportybet", "s1"), result_prices(2150))
    await desk.journal.open()
    await desk.queue.start()
    yield desk
    await desk.queue.stop(5)
    await desk.journal.close()
