import uuid
from decimal import Decimal

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.repositories import FactsRepository
from overround.records.batch import ListingWriteData, RunStatus, WriteBatch
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.write_data import (
    HANDICAP,
    MINUTE,
    NOON,
    RESULT,
    TOTAL,
    batch,
    confirmation,
    descriptions,
    market,
    rows,
    run,
    snapshot,
    stamped,
    unchanged,
)

JOURNAL = uuid.UUID(int=1)


async def test_counts_of_a_run_are_of_changed_snapshots(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """The newest run's rows in `odds_snapshots` are its changed snapshots, and the confirmed ones carry the time."""
    first = [snapshot(NOON, sr_id=sr_id) for sr_id in range(1, 6)]
    later = [confirmation(NOON + MINUTE, one) for one in first[1:4]]
    second = [snapshot(NOON + MINUTE, sr_id=sr_id) for sr_id in (1, 5)]
    runs = [WriteBatch(scrape_run_id=n, batch_index=1, run=run(RunStatus.COMPLETED, run_id=n)) for n in (1, 2)]
    await handler.write(JOURNAL, stamped(batch(*first), runs[0]))
    await handler.write(JOURNAL, stamped(batch(*second, confirmed=later, run=2), runs[1], first=3))
    newest = "select count(*) from odds_snapshots where scrape_run_id = (select max(id) from scrape_runs)"
    assert await rows(engine, newest) == [(2,)]
    confirmed = "select event_id from odds_snapshots where last_confirmed_at is not null order by 1"
    assert await rows(engine, confirmed) == [(2,), (3,), (4,)]
    facts = await FactsRepository(engine).facts()
    assert (facts.odds_snapshots, facts.market_odds, facts.doubled) == (7, 7, 0)


async def test_market_odds_shows_one_row_a_market_change(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """`market_odds` names market and bookmaker, gives line as a number, state and prices, for each change."""
    changes = (
        market(RESULT, "", 2100, -3200, 0),
        market(TOTAL, "line=2.5", -1, -1),
        market(HANDICAP, "goal=1|handicap=-0.25", 1910, 1990),
        market(TOTAL, "line=0"),
        market(99, "", 1500),
    )
    await handler.write(JOURNAL, stamped(descriptions(NOON), batch(snapshot(NOON, *changes))))
    query = "select home, bookmaker, market, line, state, prices from market_odds order by market, specifiers"
    assert await rows(engine, query) == [
        ("Reds", "near", "#99", None, "active", [Decimal("1.500")]),
        ("Reds", "near", "asian", Decimal("-0.25"), "active", [Decimal("1.910"), Decimal("1.990")]),
        ("Reds", "near", "match_result", None, "active", [Decimal("2.100"), Decimal("3.200"), None]),
        ("Reds", "near", "total", Decimal(0), "removed", []),
        ("Reds", "near", "total", Decimal("2.5"), "suspended", [None, None]),
    ]


async def test_prices_shows_one_row_a_current_outcome(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """`prices` shows offered outcomes with price, state and both times; confirmations of the snapshot count."""
    kept = unchanged(TOTAL, "line=2.5", (1850, -1), NOON)
    newest = snapshot(NOON + MINUTE, market(RESULT, "", 2100, -3200, 0), rest=(kept,))
    steps = (
        batch(snapshot(NOON, market(TOTAL, "line=2.5", 1850, -1))),
        batch(newest),
    )
    query = "select market, line, outcome, price, state, changed_at, confirmed_at from prices order by market, outcome"
    result, total = ("match_result", None), ("total", Decimal("2.5"))
    await handler.write(JOURNAL, stamped(descriptions(NOON), *steps))
    assert await rows(engine, query) == [
        (*result, "draw", Decimal("3.200"), "suspended", NOON + MINUTE, NOON + MINUTE),
        (*result, "home", Decimal("2.100"), "active", NOON + MINUTE, NOON + MINUTE),
        (*total, "over", Decimal("1.850"), "active", NOON, NOON),
        (*total, "under", None, "suspended", NOON, NOON),
    ]
    await handler.write(JOURNAL, stamped(batch(confirmed=[confirmation(NOON + 3 * MINUTE, newest)]), first=4))
    assert {row[-1] for row in await rows(engine, query)} == {NOON + 3 * MINUTE}


async def test_prices_tells_which_prices_compare(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Suspended, unlisted and conflicting prices are shown with the reason, and do not compare."""
    facts = descriptions(NOON)
    listed, event = facts.listings[0].listing, facts.events[0]

    async def shown(first: int, *batches: WriteBatch) -> list[tuple[object, ...]]:
        await handler.write(JOURNAL, stamped(*batches, first=first))
        return await rows(engine, "select outcome, comparable, reason from prices order by outcome")

    offered = batch(snapshot(NOON, market(RESULT, "", 2100, -3200, 3600), bookmaker=listed.bookmaker))
    assert await shown(1, facts, offered) == [("away", True, None), ("draw", False, "suspended"), ("home", True, None)]
    disputed = msgspec.structs.replace(event, conflict="teams")
    assert {row[2] for row in await shown(3, WriteBatch(scrape_run_id=1, batch_index=0, events=(disputed,)))} == {
        "conflict",
        "suspended",
    }
    gone = ListingWriteData(listing=listed, seen_at=NOON, gone_at=NOON + MINUTE)
    left = WriteBatch(scrape_run_id=1, batch_index=0, events=(event,), listings=(gone,))
    assert {row[2] for row in await shown(4, left)} == {"unlisted", "suspended"}


async def test_price_history_folds_repetitions(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """`price_history` has a row for each change of an outcome, removals included, repetitions not."""
    prices = [(2100, 3200, 0), (2100, 3200, 0), (2150, 3200, 0), (2150, -3200, 4000), ()]
    steps = [batch(snapshot(NOON + n * MINUTE, market(RESULT, "", *each))) for n, each in enumerate(prices)]
    await handler.write(JOURNAL, stamped(*steps))
    query = (
        "select extract(minute from captured_at)::int, outcome, price, state, previous_price "
        "from price_history where event_id = 7 order by captured_at, outcome"
    )
    assert await rows(engine, query) == [
        (0, "draw", Decimal("3.200"), "active", None),
        (0, "home", Decimal("2.100"), "active", None),
        (2, "home", Decimal("2.150"), "active", Decimal("2.100")),
        (3, "away", Decimal("4.000"), "active", None),
        (3, "draw", Decimal("3.200"), "suspended", Decimal("3.200")),
        (4, "away", None, "removed", Decimal("4.000")),
        (4, "draw", None, "removed", Decimal("3.200")),
        (4, "home", None, "removed", Decimal("2.150")),
    ]
