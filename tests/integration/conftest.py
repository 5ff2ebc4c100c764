"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.repositories import BookmakerRepository
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.queue_bench import Bench
from tests.integration.write_data import CATALOGUE, NUMBERS


@pytest.fixture
async def handler(engine: AsyncEngine) -> PostgresWriteHandler:
    """Return a write handler on this test's database, one that knows the two bookmakers."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    return PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())


@pytest.fixture
async def bench(engine: AsyncEngine) -> AsyncIterator[Bench]:
    """Yield a running queue on this test's database."""
    await BookmakerRepository(engine).register(
        {1: ("betpawa", "BetPawa"), 2: ("sportybet", "SportyBet"), 3: ("bet9ja", "Bet9ja")}
    )
    bench = Bench(engine)
    await bench.journal.open()
    await bench.queue.start()
    yield bench
    await bench.queue.stop(5)
    await bench.journal.close()
