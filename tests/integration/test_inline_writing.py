"""Writing without a queue, and the same with one: what ends up in the database is the same."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import load_catalogue
from overround.records.odds import MarketPrices
from overround.scraping.event_coordinator import EventCoordinator
from overround.storage.write_handler import InlineWriter, PostgresWriteHandler
from tests.support.database_desk import NUMBERS, DatabaseDesk, running_desk
from tests.support.desk import OPTIONS, OVER_UNDER, Desk, listing, result_prices


@pytest.fixture
async def desk(engine: AsyncEngine) -> AsyncIterator[DatabaseDesk]:
    """Yield a desk with one match at two bookmakers."""
    async with running_desk(engine) as desk:
        yield desk


async def test_inline_writing_gives_the_same_history(engine: AsyncEngine, desk: DatabaseDesk) -> None:
    """Without a queue, the same handler is awaited, and the same rows are there when the cycle returns."""
    handler = PostgresWriteHandler(engine, load_catalogue(), NUMBERS, desk.clock)
    inline = EventCoordinator(desk.context, OPTIONS, None, InlineWriter(handler))
    await inline.run_full_cycle()
    desk.clock.advance(60)
    await inline.run_full_cycle()
    assert await desk.home_prices() == [2100]
    assert await desk.rows("select count(*) from odds_snapshots where last_confirmed_at is not null") == [(2,)]


HISTORY = """
select event_id, bookmaker, market, specifiers, outcome, price, state, captured_at from price_history
order by event_id, bookmaker, market, specifiers, outcome, captured_at
"""
TABLES = "odds_snapshots, latest_odds, events, listings, scrape_runs, event_scrape_status, markets"


async def test_queue_and_inline_write_the_same_tables(engine: AsyncEngine, desk: DatabaseDesk) -> None:
    """The same cycles give the same history, latest state and runs, whether they go through the queue or not."""

    async def play(desk: Desk, coordinator: EventCoordinator) -> None:
        desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
        desk.books["sportybet"].offer(listing("sportybet", "s1"), result_prices(2150))
        await coordinator.run_full_cycle()
        desk.clock.advance(60)
        desk.books["betpawa"].offer(listing("betpawa", "p1"), {OVER_UNDER: MarketPrices((1900, -1))})
        await coordinator.run_full_cycle()

    async def tables() -> list[object]:
        latest = await desk.rows("select event_id, market, outcome, price, state from prices order by 1, 2, 3, 4")
        runs = await desk.rows("select kind, status, events, counts::text from scrape_runs order by id")
        return [[row[:-1] for row in await desk.rows(HISTORY)], latest, runs]

    await play(desk, desk.coordinator)
    await desk.queue.drain()
    queued = await tables()
    async with engine.begin() as connection:
        await connection.execute(text(f"truncate {TABLES}"))
    handler = PostgresWriteHandler(engine, load_catalogue(), NUMBERS, desk.clock)
    inline = Desk(clock=desk.clock, batch_writer=InlineWriter(handler))
    await play(inline, inline.coordinator)
    assert await tables() == queued
    assert queued[0]
