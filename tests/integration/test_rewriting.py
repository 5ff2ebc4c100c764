"""What only memory still has is written again: events, listings, runs and latest states."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.scraping.rewriting import StateRewriter
from overround.scraping.storing import NO_RUN
from tests.support.database_desk import running_desk
from tests.support.desk import listing, result_prices

_TABLES = "odds_snapshots, latest_odds, events, listings, scrape_runs"
_PRICES = "select bookmaker, (price * 1000)::int from prices where outcome = 'home' order by 1"
_HISTORY = "select bookmaker, (price * 1000)::int from price_history where outcome = 'home' order by 1, epoch, seq"


async def test_everything_is_written_again_once_it_is_lost(engine: AsyncEngine) -> None:
    """Latest states and history have what memory has, later confirmations find their rows, and no run counts them."""
    async with running_desk(engine) as desk:
        await desk.cycle()
        desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2200))
        run = await desk.cycle()
        before = await desk.rows(_PRICES)
        async with engine.begin() as connection:
            await connection.execute(text(f"truncate {_TABLES}"))
        lost = asyncio.Event()
        rewriter = StateRewriter(desk.context, desk.coordinator.store, lost)
        await rewriter.write_again()
        await desk.queue.drain()
        assert await desk.rows(_PRICES) == before == [("betpawa", 2200), ("sportybet", 2150)]
        assert await desk.rows(_HISTORY) == before
        assert await desk.rows("select count(*) from listings") == [(2,)]
        assert await desk.rows("select id from events") == [(1,)]
        assert await desk.rows("select max(id) from scrape_runs") == [(run.run_id,)]
        assert await desk.rows("select distinct scrape_run_id from odds_snapshots") == [(NO_RUN,)]
        again = await desk.cycle()
        assert {slug: (one.changed, one.confirmed) for slug, one in again.counts.items()} == {
            "betpawa": (0, 1),
            "sportybet": (0, 1),
        }
        assert desk.queue.stats().missed_confirmations == 0
