"""Fixtures of the integration tests."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.repositories import BookmakerRepository
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.write_data import CATALOGUE, NUMBERS


@pytest.fixture
async def handler(engine: AsyncEngine) -> PostgresWriteHandler:
    """Return a write handler on this test's database, one that knows the two bookmakers."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    return PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
