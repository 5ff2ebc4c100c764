"""A write queue on a real database, with its parts within reach."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import load_catalogue
from overround.ports import WriteHandler
from overround.records.batch import MarketWriteData, SnapshotWriteData, WriteBatch
from overround.records.writing import StampedBatch, WriteReport
from overround.storage.attempts import Backoff
from overround.storage.held_rows import HeldRows
from overround.storage.holding import Holds
from overround.storage.journal.memory import MemoryJournal
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from overround.testing import ManualClock
from tests.support.forwarding import ForwardingHandler

START = datetime(2026, 3, 1, tzinfo=UTC)


class Troubled(ForwardingHandler):
    """A handler in front of the real one that fails as often as told, before or after committing."""

    def __init__(self, handler: WriteHandler) -> None:
        super().__init__(handler)
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.held: asyncio.Event | None = None
        self.sizes: list[int] = []

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Wait, fail or write, as told."""
        if self.held is not None:
            await self.held.wait()
        self.sizes.append(len(batches))
        if self.before:
            raise self.before.pop()
        report = await super().write(generation, batches, confirmed)
        if self.after:
            raise self.after.pop()
        return report


class Bench:
    """A running queue with its parts within reach."""

    def __init__(self, engine: AsyncEngine, *, max_bytes: int = 10_000_000) -> None:
        self.engine = engine
        self.clock = ManualClock(START)
        self.journal = MemoryJournal(self.clock, max_bytes)
        numbers = {"betpawa": 1, "sportybet": 2, "bet9ja": 3}
        self.missed: list[tuple[int, str]] = []
        self.holds = Holds(self.clock)
        self.handler = Troubled(PostgresWriteHandler(engine, load_catalogue(), numbers, self.clock, holds=self.holds))
        self.held_rows = HeldRows(engine, load_catalogue(), numbers, self.clock, self.holds)
        self.queue = AsyncWriteQueue(
            session_factory=engine,
            journal=self.journal,
            handler=lambda _: self.handler,
            clock=self.clock,
            maxsize=4,
            backoff=Backoff(base=0.1, cap=1.0),
            on_missed=lambda sr_id, bookmaker: self.missed.append((sr_id, bookmaker)),
        )
        self.queue.count_held(self.holds)

    async def stored(self) -> list[int]:
        """Return the home prices of event 1 in the order of their capture."""
        statement = text("select prices[1] from odds_snapshots where event_id = 1 order by captured_at")
        async with self.engine.connect() as connection:
            return [row[0] for row in await connection.execute(statement)]


def batch(minute: int, price: int) -> WriteBatch:
    """Return a batch with one changed price of event 1."""
    snapshot = SnapshotWriteData(
        snapshot_id=uuid.uuid4(),
        sr_id=1,
        bookmaker="betpawa",
        captured_at=START + timedelta(minutes=minute),
        body_hash=b"",
        markets=(MarketWriteData(1, "", (price, 3300, 3600)),),
    )
    return WriteBatch(scrape_run_id=1, batch_index=minute, snapshots=(snapshot,))
