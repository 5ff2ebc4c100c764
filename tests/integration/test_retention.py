"""Partitions: made ahead, dropped behind a horizon that a wrong clock cannot move, and the alarm for too few."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection
from overround.db.ownership import unfenced
from overround.db.partitions import SNAPSHOTS, STATUSES, prepare_partitions
from overround.db.retention import Droppable, RetentionReport, droppable, keep_partitions, moved, retain
from overround.testing import ManualClock
from overround.upkeep.maintenance import Maintenance
from tests.support.desk import START

KEEP = {"odds_snapshots": timedelta(days=90), "event_scrape_status": timedelta(days=7)}
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
AHEAD = timedelta(days=200)


async def partitions(engine: AsyncEngine, table: str) -> list[str]:
    """Return the names of a table's partitions."""
    statement = text(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = cast(:table as regclass) order by 1"
    )
    async with engine.connect() as connection:
        return [row[0] for row in await connection.execute(statement, {"table": table})]


async def fill(engine: AsyncEngine, first: datetime, until: datetime) -> list[str]:
    """Make the partitions of a time, with one status a day; return the names of all partitions of both tables."""
    await prepare_partitions(engine, first, until - first)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "insert into event_scrape_status select day, 1, 1, 1, 0, 0, 'ok', ''"
                " from generate_series(cast(:first as timestamptz), cast(:until as timestamptz), interval '1 day') day"
            ),
            {"first": first, "until": until},
        )
    return [*await partitions(engine, "odds_snapshots"), *await partitions(engine, "event_scrape_status")]


def maintenance(engine: AsyncEngine, clock: ManualClock) -> Maintenance:
    """Return the upkeep of a ready database."""
    ready = asyncio.Event()
    ready.set()
    return Maintenance(engine, ready, clock, KEEP)


async def test_partitions_are_there_ahead_of_time(engine: AsyncEngine) -> None:
    """After a round, both tables have at least the partitions asked for that start in the future."""
    report = await keep_partitions(engine, START, HOUR, KEEP, ahead=3)
    assert min(report.ahead.values()) >= 3
    assert SNAPSHOTS.name(SNAPSHOTS.start(START)) in await partitions(engine, "odds_snapshots")


async def test_old_partitions_are_dropped_and_the_kept_stay(engine: AsyncEngine) -> None:
    """In a service that runs for months, each partition goes once all of its time is older than the retention."""
    clock = ManualClock(START - timedelta(days=120))
    upkeep = maintenance(engine, clock)
    for _ in range(120):
        await upkeep.run()
        clock.advance(DAY.total_seconds())
    await upkeep.run()
    assert upkeep.last is not None
    assert upkeep.last.waiting == ()
    for partitioning in (SNAPSHOTS, STATUSES):
        left = await partitions(engine, partitioning.table)
        assert left[0] == partitioning.name(partitioning.start(START - KEEP[partitioning.table]))


@pytest.mark.parametrize("restarts", [0, 5])
async def test_a_clock_that_is_ahead_drops_nothing(engine: AsyncEngine, restarts: int) -> None:
    """Two hundred days ahead for ten minutes, two rounds in each process: every partition with rows stays."""
    held = await fill(engine, START - timedelta(days=90), START)
    clock = ManualClock(START)
    await maintenance(engine, clock).run()
    before = [name for name in held if name in await all_partitions(engine)]
    clock.step(AHEAD)
    for _ in range(1 + restarts):
        upkeep = maintenance(engine, clock)
        for _ in range(2):
            clock.advance(300)
            await upkeep.run()
        assert upkeep.last is not None
        assert upkeep.last.dropped == ()
        assert set(upkeep.last.waiting) >= {name for name in before if name.startswith("event_scrape_status")}
    clock.step(-AHEAD)
    upkeep = maintenance(engine, clock)
    await upkeep.run()
    assert set(before) <= set(await all_partitions(engine))


async def all_partitions(engine: AsyncEngine) -> list[str]:
    """Return the names of the partitions of both tables."""
    return [*await partitions(engine, "odds_snapshots"), *await partitions(engine, "event_scrape_status")]


async def test_after_a_long_pause_a_command_drops_what_it_listed(engine: AsyncEngine) -> None:
    """Off for a hundred days: the service lists and waits; the command drops that, and the service goes on alone."""
    await fill(engine, START - timedelta(days=90), START)
    clock = ManualClock(START)
    await maintenance(engine, clock).run()
    clock.step(timedelta(days=100))
    upkeep = maintenance(engine, clock)
    await upkeep.run()
    assert upkeep.last is not None
    waiting = upkeep.last.waiting
    assert waiting
    assert upkeep.last.dropped == ()
    until = clock.now() - KEEP["event_scrape_status"]
    async with driver_connection(engine) as connection:
        listed = await droppable(connection, until)
        assert sum(one.rows for one in listed if one.table == "event_scrape_status") > 0
        await retain(connection, until, listed, unfenced)
        assert await droppable(connection, until) == []
    left = await all_partitions(engine)
    assert not {one.name for one in listed} & set(left)
    assert set(waiting) <= {one.name for one in listed}
    await upkeep.run()
    assert upkeep.last.waiting == ()


async def test_rows_of_a_wrong_clock_do_not_move_the_horizon(engine: AsyncEngine) -> None:
    """Rows that were written under a clock that is ahead are no evidence for it."""
    held = await fill(engine, START - timedelta(days=80), START)
    clock = ManualClock(START)
    await maintenance(engine, clock).run()
    await fill(engine, START + AHEAD, START + AHEAD + DAY)
    clock.step(AHEAD)
    await maintenance(engine, clock).run()
    assert {name for name in held if name.startswith("odds_snapshots")} <= set(await all_partitions(engine))


INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by it
SPANS = st.timedeltas(timedelta(0), timedelta(days=30))


@given(horizon=INSTANTS, readings=st.lists(st.tuples(INSTANTS, SPANS), max_size=20))
def test_no_reading_of_the_clock_moves_the_horizon_further_than_time_passed(
    horizon: datetime, readings: list[tuple[datetime, timedelta]]
) -> None:
    """Whatever clocks show, a round moves the horizon by at most its running time and a partition, and never back."""
    for wanted, running in readings:
        after = moved(horizon, wanted, running, WEEK)
        assert horizon <= after <= horizon + running + WEEK
        assert after <= max(horizon, wanted)
        horizon = after


@given(horizon=INSTANTS, wrong=st.lists(st.tuples(st.timedeltas(8 * DAY, 900 * DAY), SPANS), max_size=20))
def test_a_clock_that_stays_wrong_gains_nothing_by_many_rounds(
    horizon: datetime, wrong: list[tuple[timedelta, timedelta]]
) -> None:
    """Rounds under a clock that is beyond reach move the horizon by the time that passed in all, and no more."""
    began, passed = horizon, timedelta(0)
    for ahead, running in wrong:
        horizon = moved(horizon, horizon + running + ahead, running, WEEK)
        passed += running
    assert horizon == began + passed


async def test_health_hears_of_missing_partitions(engine: AsyncEngine) -> None:
    """Fewer than two partitions to come are an alarm; before the first round there is none."""
    upkeep = maintenance(engine, ManualClock(START))
    assert not upkeep.partitions_short()
    await upkeep.run()
    assert not upkeep.partitions_short()
    upkeep.last = RetentionReport(dropped=(), ahead={"odds_snapshots": 1, "event_scrape_status": 9})
    assert upkeep.partitions_short()


async def test_what_is_droppable_is_listed_with_its_rows(engine: AsyncEngine) -> None:
    """Each partition that ended before the day is listed, with the rows that would go."""
    await fill(engine, START - timedelta(days=10), START)
    async with driver_connection(engine) as connection:
        listed = await droppable(connection, START - timedelta(days=8))
    first = STATUSES.name(STATUSES.start(START - timedelta(days=10)))
    assert Droppable(name=first, table="event_scrape_status", rows=1) in listed
