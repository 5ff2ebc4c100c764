"""What every write handler keeps to: the one on PostgreSQL, and the one in memory that stands in for it in tests."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.repositories import BookmakerRepository
from overround.ports import WriteHandler
from overround.storage.write_handler import PostgresWriteHandler
from overround.testing import MemoryWriteHandler
from tests.integration.write_data import (
    CATALOGUE,
    MINUTE,
    NOON,
    NUMBERS,
    RESULT,
    batch,
    confirmation,
    market,
    rows,
    snapshot,
    stamped,
)
from tests.support.forwarding import applied

JOURNAL = uuid.UUID(int=1)
OTHER = uuid.UUID(int=2)
HISTORY = "select id, last_confirmed_at from odds_snapshots order by captured_at, id"
LATEST = "select snapshot_id from latest_odds order by event_id, bookmaker_id"

Confirmed = Sequence[tuple[uuid.UUID, datetime | None]]


class Bench(Protocol):
    """A write handler, and what it has stored."""

    handler: WriteHandler

    async def history(self) -> Confirmed:
        """Return the ids of all snapshots in the order of their capture, with when each was confirmed last."""

    async def latest(self) -> Sequence[uuid.UUID]:
        """Return the ids of the latest snapshots, by event and bookmaker's number."""


class PostgresBench:
    """The real thing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.handler: WriteHandler = PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
        self._engine = engine

    async def history(self) -> Confirmed:
        """Ask the database."""
        return [(uuid.UUID(str(uid)), at if isinstance(at, datetime) else None) for uid, at in await self._all(HISTORY)]

    async def latest(self) -> Sequence[uuid.UUID]:
        """Ask the database."""
        return [uuid.UUID(str(uid)) for (uid,) in await self._all(LATEST)]

    async def _all(self, query: str) -> list[tuple[object, ...]]:
        return await rows(self._engine, query)


class MemoryBench:
    """The stand-in."""

    def __init__(self) -> None:
        self.memory = MemoryWriteHandler()
        self.handler: WriteHandler = self.memory

    async def history(self) -> Confirmed:
        """Look into the handler."""
        ordered = sorted(
            self.memory.history, key=lambda stored: (stored.snapshot.captured_at, stored.snapshot.snapshot_id)
        )
        return [(stored.snapshot.snapshot_id, stored.last_confirmed_at) for stored in ordered]

    async def latest(self) -> Sequence[uuid.UUID]:
        """Look into the handler."""
        ordered = sorted(self.memory.latest.items(), key=lambda item: (item[0][0], NUMBERS[item[0][1]]))
        return [stored.snapshot.snapshot_id for _, stored in ordered]


@pytest.fixture
async def postgres_bench(engine: AsyncEngine) -> Bench:
    """Return the real handler on this test's database."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    return PostgresBench(engine)


@pytest.fixture
def memory_bench() -> Bench:
    """Return the handler in memory."""
    return MemoryBench()


@pytest.fixture(params=["postgres_bench", "memory_bench"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Return each handler with nothing stored."""
    made: Bench = request.getfixturevalue(request.param)
    return made


async def test_a_new_journal_has_nothing_applied(bench: Bench) -> None:
    """What was never heard of stands at 0."""
    assert await applied(bench.handler, JOURNAL) == 0


async def test_batches_are_stored_and_the_watermark_moves(bench: Bench) -> None:
    """Every snapshot is in the history, the newest is the latest, and the report counts them."""
    one, two = snapshot(NOON), snapshot(NOON + MINUTE, market(RESULT, "", 2, 3, 4), market(RESULT, "x=1", 2, 3, 4))
    report = await bench.handler.write(JOURNAL, stamped(batch(one), batch(two)))
    assert (report.batches, report.snapshots, report.markets, report.confirmed, report.missed) == (2, 2, 3, 0, ())
    assert await bench.history() == [(one.snapshot_id, None), (two.snapshot_id, None)]
    assert list(await bench.latest()) == [two.snapshot_id]
    assert await applied(bench.handler, JOURNAL) == 2


async def test_what_was_applied_before_is_skipped(bench: Bench) -> None:
    """Offered again, alone or before something new, a batch stores nothing."""
    known, new = batch(snapshot(NOON)), batch(snapshot(NOON + MINUTE))
    await bench.handler.write(JOURNAL, stamped(known))
    again = await bench.handler.write(JOURNAL, stamped(known))
    both = await bench.handler.write(JOURNAL, stamped(known, new))
    assert (again.batches, again.snapshots, both.batches, both.snapshots) == (0, 0, 1, 1)
    assert [uid for uid, _ in await bench.history()] == [
        known.snapshots[0].snapshot_id,
        new.snapshots[0].snapshot_id,
    ]


async def test_seqs_may_leave_a_gap(bench: Bench) -> None:
    """A journal that was opened again goes on where it likes, further on."""
    await bench.handler.write(JOURNAL, stamped(batch(snapshot(NOON))))
    report = await bench.handler.write(JOURNAL, stamped(batch(snapshot(NOON + MINUTE)), first=100))
    assert report.batches == 1
    assert await applied(bench.handler, JOURNAL) == 100


async def test_journals_do_not_know_each_other(bench: Bench) -> None:
    """Each journal has a watermark of its own."""
    await bench.handler.write(JOURNAL, stamped(batch(snapshot(NOON)), first=5))
    report = await bench.handler.write(OTHER, stamped(batch(snapshot(NOON + MINUTE))))
    assert report.batches == 1
    assert (await applied(bench.handler, JOURNAL), await applied(bench.handler, OTHER)) == (5, 1)


@pytest.mark.parametrize("at", [NOON, NOON + 9 * MINUTE])
async def test_the_latest_state_never_goes_back(bench: Bench, at: datetime) -> None:
    """What an earlier generation says comes into the history, and leaves the latest state alone, whatever its time."""
    newest = snapshot(NOON + MINUTE)
    await bench.handler.register([OTHER, JOURNAL])
    await bench.handler.write(JOURNAL, stamped(batch(newest), first=5))
    await bench.handler.write(OTHER, stamped(batch(snapshot(at)), first=900))
    assert list(await bench.latest()) == [newest.snapshot_id]
    assert len(await bench.history()) == 2


async def test_of_one_transaction_the_last_is_the_latest(bench: Bench) -> None:
    """Batches that share a transaction count in their order; other prices are left alone."""
    mine = [snapshot(NOON + step * MINUTE) for step in range(3)]
    theirs = snapshot(NOON, bookmaker="far")
    await bench.handler.write(JOURNAL, stamped(*(batch(one) for one in (*mine, theirs))))
    assert list(await bench.latest()) == [mine[-1].snapshot_id, theirs.snapshot_id]


async def test_a_confirmation_reaches_the_snapshot_that_it_names(bench: Bench) -> None:
    """Whatever times they have: it may be of the same batch, and of several confirmations the last counts."""
    early, late = snapshot(NOON), snapshot(NOON - 10 * MINUTE)
    between = [confirmation(NOON + minutes * MINUTE, early) for minutes in (2, 3)]
    report = await bench.handler.write(JOURNAL, stamped(batch(early, confirmed=between), batch(late)))
    assert report.confirmed == 2
    assert await bench.history() == [(late.snapshot_id, None), (early.snapshot_id, NOON + 3 * MINUTE)]


async def test_a_confirmation_of_nothing_is_reported(bench: Bench) -> None:
    """Where the snapshot that it names is not stored, the confirmation is missed."""
    another = confirmation(NOON, snapshot(NOON))
    unknown = confirmation(NOON, snapshot(NOON, sr_id=8, bookmaker="far"))
    report = await bench.handler.write(JOURNAL, stamped(batch(snapshot(NOON), confirmed=(another, unknown))))
    assert report.confirmed == 0
    assert sorted(report.missed) == [(7, "near"), (8, "far")]
