"""A bookmaker whose content the database refuses: its rows are held, the others' are written, and all in the end."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.errors import NothingHeldError
from overround.storage.held_rows import HeldRows
from overround.storage.holding import Holds
from overround.storage.write_handler import PostgresWriteHandler
from overround.testing import ManualClock
from tests.integration.write_data import CATALOGUE, MINUTE, NOON, NUMBERS, batch, rows, snapshot, stamped

JOURNAL = uuid.UUID(int=1)
REFUSAL = "alter table latest_odds add constraint refused check (bookmaker_id <> {}) not valid"
MENDED = "alter table latest_odds drop constraint refused"
STORED = """
select b.slug, count(*)::int from odds_snapshots as o join bookmakers as b on b.id = o.bookmaker_id group by b.slug
"""
LATEST = "select distinct captured_at from latest_odds where bookmaker_id = 2"
EVENTS = 30


class Desk:
    """Handler and keeper of one process; each has batches of 30 events at two bookmakers."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.clock = ManualClock(NOON)
        self.unaccepted: list[str] = []
        self.seq = 0
        self.restart()

    def restart(self) -> None:
        """Begin a process that knows nothing."""
        self.holds = Holds(self.clock)
        self.handler = PostgresWriteHandler(self.engine, CATALOGUE, NUMBERS, self.clock, holds=self.holds)
        self.keeper = HeldRows(self.engine, CATALOGUE, NUMBERS, self.clock, holds=self.holds)
        self.keeper.on_forgotten = self.unaccepted.append

    async def write(self, minute: int, *bookmakers: str) -> None:
        """Write a batch of that minute."""
        self.seq += 1
        ones = [
            snapshot(NOON + minute * MINUTE, sr_id=number, bookmaker=bookmaker)
            for number in range(1, EVENTS + 1)
            for bookmaker in bookmakers or ("far", "near")
        ]
        await self.handler.write(JOURNAL, stamped(batch(*ones), first=self.seq))

    async def execute(self, statement: str) -> None:
        """Change the database."""
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the keeper run until that is so."""
        for _ in range(100_000):
            if holds():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to be so")

    async def stored(self) -> dict[str, int]:
        """Return how many snapshots there are of each bookmaker."""
        return {str(slug): int(str(count)) for slug, count in await rows(self.engine, STORED)}


@pytest.fixture
async def desk(engine: AsyncEngine, handler: PostgresWriteHandler) -> Desk:
    """Return a desk on a database that refuses the snapshots of bookmaker `far`, of which a batch came already."""
    del handler  # it has put the bookmakers there
    one = Desk(engine)
    await one.execute(REFUSAL.format(NUMBERS["far"]))
    await one.write(1)
    return one


async def test_the_others_are_written_and_the_rest_is_held(desk: Desk) -> None:
    """Twenty-one dead letters, then the rows are held whole; the healthy bookmaker's are all there."""
    await desk.write(2)
    assert await desk.stored() == {"near": 2 * EVENTS}
    assert await rows(desk.engine, "select count(*)::int from dead_letters") == [(21,)]
    held = await rows(desk.engine, "select bookmaker, seq::int, snapshots, sqlstate from held_rows order by id")
    assert held == [("far", 1, EVENTS - 21, "23514"), ("far", 2, EVENTS, "23514")]
    (shown,) = desk.holds.shown()
    assert (shown.bookmaker, shown.rows, shown.snapshots, shown.full) == ("far", 2, 2 * EVENTS - 21, False)
    assert "refused" in shown.sample
    sums = "select snapshots, dead_snapshots, held_snapshots from write_batches order by seq"
    assert await rows(desk.engine, sums) == [(EVENTS, 21, EVENTS - 21), (EVENTS, 0, EVENTS)]


async def test_a_trial_that_fails_changes_nothing(desk: Desk) -> None:
    """While the content is still refused, a retry says why, and the rows stay."""
    trial = await desk.keeper.retry("far")
    assert (trial.passed, trial.rows) == (False, 0)
    assert "refused" in trial.reason
    assert await rows(desk.engine, "select count(*)::int from held_rows") == [(1,)]
    assert await rows(desk.engine, "select count(*)::int from dead_letters") == [(21,)]


async def test_rows_are_written_in_order_once_they_can_be(desk: Desk) -> None:
    """A trial that passes releases all; the latest state is the newest, and the next batches are written as usual."""
    await desk.write(2)
    await desk.write(3, "near")
    await desk.execute(MENDED)
    trial = await desk.keeper.retry("far")
    assert (trial.passed, trial.rows, trial.applied, trial.dead) == (True, 2, 2 * EVENTS - 21, 0)
    assert await desk.stored() == {"far": 2 * EVENTS - 21, "near": 3 * EVENTS}
    assert (desk.holds.shown(), desk.holds.applied) == ((), 2 * EVENTS - 21)
    await desk.write(4)
    assert (await desk.stored())["far"] == 3 * EVENTS - 21
    assert await rows(desk.engine, LATEST) == [(NOON + 4 * MINUTE,)]
    sums = "select sum(snapshots)::int, sum(dead_snapshots)::int, sum(held_snapshots)::int from write_batches"
    assert await rows(desk.engine, sums) == [(7 * EVENTS - 21, 21, 0)]


async def test_an_older_row_never_replaces_a_newer_latest_state(desk: Desk) -> None:
    """Rows that are released after a newer state was written go into history, and leave the latest state alone."""
    await desk.execute(MENDED)
    newer = Desk(desk.engine)  # a process to which the hold is not known yet writes a newer state
    newer.holds._known = True
    newer.seq = 10
    await newer.write(9, "far")
    assert (await desk.keeper.retry("far")).passed
    assert (await desk.stored())["far"] == 2 * EVENTS - 21
    assert await rows(desk.engine, LATEST) == [(NOON + 9 * MINUTE,)]


async def test_a_restart_goes_on_holding(desk: Desk) -> None:
    """The next process finds the rows, holds further ones, and counts those of before as recovered."""
    desk.restart()
    await desk.write(2)
    assert await desk.stored() == {"near": 2 * EVENTS}
    (shown,) = desk.holds.shown()
    assert (shown.rows, desk.holds.own_snapshots) == (2, EVENTS)
    await desk.execute(MENDED)
    assert (await desk.keeper.retry("far")).passed
    assert (desk.holds.recovered, desk.holds.applied) == (EVENTS - 21, 2 * EVENTS - 21)


async def test_held_rows_can_be_dropped(desk: Desk) -> None:
    """Dropping deletes them, counts them as dead, lets the cache write its states again, and ends the hold."""
    dropped = await desk.keeper.drop("far")
    assert (dropped.rows, dropped.dead) == (1, EVENTS - 21)
    assert (desk.holds.shown(), desk.holds.dead, desk.unaccepted) == ((), EVENTS - 21, ["far"])
    assert await rows(desk.engine, "select count(*)::int from held_rows") == [(0,)]
    assert await rows(desk.engine, "select dead_snapshots, held_snapshots from write_batches") == [(EVENTS, 0)]
    for ask in (desk.keeper.drop, desk.keeper.retry):
        with pytest.raises(NothingHeldError):
            await ask("far")


async def test_the_rows_are_tried_once_a_minute(desk: Desk) -> None:
    """The keeper tries them by itself, and writes them at the first trial that passes."""
    desk.restart()
    ready = asyncio.Event()
    async with desk.keeper.kept(ready):
        ready.set()
        await desk.until(lambda: any(one.tried_at for one in desk.holds.shown()))
        tried = desk.clock.monotonic()
        await desk.execute(MENDED)
        await desk.until(lambda: not desk.holds.shown())
    assert 60 <= desk.clock.monotonic() - tried <= 62
    assert (await desk.stored())["far"] == EVENTS - 21


async def test_without_room_the_bookmaker_is_not_polled(desk: Desk) -> None:
    """Beyond a day, or beyond the bytes, the hold is full; nothing that is held is dropped for it."""
    assert desk.holds.full() == frozenset()
    desk.clock.advance(timedelta(hours=24).total_seconds())
    assert desk.holds.full() == {"far"}
    small = Holds(desk.clock, most_bytes=100)
    async with desk.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        await small.load(raw.driver_connection)
    assert small.full() == {"far"}
