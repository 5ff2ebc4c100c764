"""Partitions: made ahead, dropped when old, and the alarm when there are too few."""

import asyncio
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.partitions import SNAPSHOTS, RetentionReport, keep_partitions, prepare_partitions
from overround.testing import ManualClock
from overround.upkeep.maintenance import Maintenance
from tests.support.desk import START

KEEP = {"odds_snapshots": timedelta(days=90), "event_scrape_status": timedelta(days=7)}


async def partitions(engine: AsyncEngine, table: str) -> list[str]:
    """Return the names of a table's partitions."""
    statement = text(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = cast(:table as regclass) order by 1"
    )
    async with engine.connect() as connection:
        return [row[0] for row in await connection.execute(statement, {"table": table})]


async def test_partitions_are_there_ahead_of_time(engine: AsyncEngine) -> None:
    """After a round, both tables have at least the partitions asked for that start in the future."""
    report = await keep_partitions(engine, START, KEEP, ahead=3)
    assert min(report.ahead.values()) >= 3
    assert SNAPSHOTS.name(SNAPSHOTS.start(START)) in await partitions(engine, "odds_snapshots")


async def test_old_partitions_are_dropped_and_the_kept_stay(engine: AsyncEngine) -> None:
    """A partition goes when all of its time is older than the retention, and not a day before."""
    old = START - timedelta(days=120)
    await prepare_partitions(engine, old, timedelta(days=40))
    before = await partitions(engine, "odds_snapshots")
    report = await keep_partitions(engine, START, KEEP, ahead=2)
    left = await partitions(engine, "odds_snapshots")
    edge = START - KEEP["odds_snapshots"]
    gone = [SNAPSHOTS.name(SNAPSHOTS.start(old) + index * SNAPSHOTS.length) for index in range(4)]
    assert set(gone) <= set(report.dropped)
    assert not set(gone) & set(left)
    assert SNAPSHOTS.name(SNAPSHOTS.start(edge)) in left
    assert len(before) > 4


async def test_health_hears_of_missing_partitions(engine: AsyncEngine) -> None:
    """Fewer than two partitions to come are an alarm; before the first round there is none."""
    ready = asyncio.Event()
    ready.set()
    maintenance = Maintenance(engine, ready, ManualClock(START), KEEP)
    assert not maintenance.partitions_short()
    await maintenance.run()
    assert not maintenance.partitions_short()
    maintenance.last = RetentionReport(dropped=(), ahead={"odds_snapshots": 1, "event_scrape_status": 9})
    assert maintenance.partitions_short()
