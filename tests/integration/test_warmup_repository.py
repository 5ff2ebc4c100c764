import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.repositories import BookmakerRepository, FactsRepository, PostgresWarmupRepository
from overround.errors import BookmakerMismatchError
from overround.records.batch import ListingWriteData, RunStatus, WriteBatch
from overround.records.stored import StoredListing
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.write_data import (
    MINUTE,
    NOON,
    NUMBERS,
    RESULT,
    TOTAL,
    batch,
    confirmation,
    event,
    listing,
    market,
    rows,
    run,
    snapshot,
    stamped,
    unchanged,
)

JOURNAL = uuid.UUID(int=1)
BEFORE = NOON - MINUTE


@pytest.fixture
def repository(engine: AsyncEngine) -> PostgresWarmupRepository:
    """Return the repository of both bookmakers."""
    return PostgresWarmupRepository(engine, NUMBERS)


def events(*sr_ids: int) -> WriteBatch:
    """Return a batch that introduces events at noon."""
    return WriteBatch(scrape_run_id=1, batch_index=0, events=tuple(event(sr_id) for sr_id in sr_ids))


async def test_the_latest_state_comes_back_as_it_was_written(
    handler: PostgresWriteHandler, repository: PostgresWarmupRepository
) -> None:
    """Markets, prices by market, both times of each, and the snapshot's last confirmation are read back."""
    kept = unchanged(TOTAL, "line=2.5", (1850, 1950), NOON)
    changed = snapshot(NOON + MINUTE, market(RESULT, "", 2100, -3200, 0), market(TOTAL, "line=3.5"), rest=(kept,))
    steps = (events(7), batch(changed), batch(confirmed=[confirmation(NOON + 5 * MINUTE, changed)]))
    await handler.write(JOURNAL, stamped(*steps))
    (row,) = [row async for row in repository.latest(BEFORE)]
    assert (row.sr_id, row.bookmaker, row.body_hash, row.snapshot_id) == (
        7,
        "near",
        changed.body_hash,
        changed.snapshot_id,
    )
    assert (row.captured_at, row.last_confirmed_at) == (NOON + MINUTE, NOON + 5 * MINUTE)
    assert list(row.markets) == [RESULT, TOTAL, TOTAL]
    assert list(row.specifiers) == ["", "line=3.5", "line=2.5"]
    assert [tuple(prices) for prices in row.prices] == [(2100, -3200, 0), (), (1850, 1950)]
    assert list(row.changed_at) == [NOON + MINUTE, NOON + MINUTE, NOON]
    assert list(row.confirmed_at) == [NOON + MINUTE, NOON + MINUTE, NOON]


async def test_markets_all_seen_with_the_snapshot_have_no_times_of_their_own(
    handler: PostgresWriteHandler, repository: PostgresWarmupRepository
) -> None:
    """Where each market was confirmed when the snapshot was captured, that is all there is to say."""
    await handler.write(JOURNAL, stamped(events(7), batch(snapshot(NOON))))
    (row,) = [row async for row in repository.latest(BEFORE)]
    assert (list(row.confirmed_at), row.last_confirmed_at) == ([], None)


async def test_a_state_whose_history_is_gone_is_still_read(
    handler: PostgresWriteHandler, repository: PostgresWarmupRepository, engine: AsyncEngine
) -> None:
    """Retention may drop the snapshot's partition: the current state survives it."""
    await handler.write(JOURNAL, stamped(events(7), batch(snapshot(NOON))))
    async with engine.begin() as connection:
        await connection.exec_driver_sql("drop table odds_snapshots_20260105")
    assert [row.last_confirmed_at async for row in repository.latest(BEFORE)] == [None]


async def test_only_events_ahead_and_known_bookmakers_are_read(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """Events that have started, and bookmakers that nobody asked for, are left out."""
    data = WriteBatch(
        scrape_run_id=1,
        batch_index=0,
        events=(event(7), event(8, kickoff=NOON - timedelta(hours=3))),
        listings=(
            ListingWriteData(listing=listing(), seen_at=NOON, duplicate=True),
            ListingWriteData(listing=listing(bookmaker="far"), seen_at=NOON),
        ),
        snapshots=(snapshot(NOON), snapshot(NOON, sr_id=8), snapshot(NOON, bookmaker="far")),
    )
    await handler.write(JOURNAL, stamped(data))
    repository = PostgresWarmupRepository(engine, ["near"])
    assert [(row.sr_id, row.bookmaker) async for row in repository.latest(BEFORE)] == [(7, "near")]
    assert await repository.events(BEFORE) == [event(7)]
    assert await repository.listings(BEFORE) == [StoredListing(listing=listing(), gone_at=None, duplicate=True)]


async def test_runs_come_newest_first(handler: PostgresWriteHandler, repository: PostgresWarmupRepository) -> None:
    """Runs are read back whole, newest first, up to the limit; the greatest id is known."""
    assert await repository.last_run_id() == 0
    runs = [run(RunStatus.COMPLETED, run_id=run_id, events=run_id) for run_id in (1, 2, 3)]
    await handler.write(
        JOURNAL, stamped(*(WriteBatch(scrape_run_id=one.run_id, batch_index=0, run=one) for one in runs))
    )
    assert await repository.runs(2) == [runs[2], runs[1]]
    assert await repository.last_run_id() == 3


async def test_many_rows_are_streamed_in_full(
    handler: PostgresWriteHandler, repository: PostgresWarmupRepository
) -> None:
    """More rows than are fetched at a time all arrive, each once."""
    sr_ids = range(1, 201)
    await handler.write(JOURNAL, stamped(events(*sr_ids), batch(*(snapshot(NOON, sr_id=sr_id) for sr_id in sr_ids))))
    assert sorted([row.sr_id async for row in repository.latest(BEFORE)]) == list(sr_ids)


async def test_bookmakers_keep_their_numbers(engine: AsyncEngine) -> None:
    """Registering again changes nothing but the name for people, and adds who is new."""
    repository = BookmakerRepository(engine)
    await repository.register({1: ("near", "Near")})
    await repository.register({1: ("near", "Near & Co"), 2: ("far", "Far")})
    assert await rows(engine, "select id, slug, name from bookmakers order by id") == [
        (1, "near", "Near & Co"),
        (2, "far", "Far"),
    ]


@pytest.mark.parametrize("other", [{1: ("other", "Other")}, {3: ("near", "Near")}])
async def test_other_numbers_are_refused(engine: AsyncEngine, other: dict[int, tuple[str, str]]) -> None:
    """A number that belongs to another bookmaker, or a bookmaker under another number, is refused."""
    repository = BookmakerRepository(engine)
    await repository.register({1: ("near", "Near")})
    with pytest.raises(BookmakerMismatchError, match="near"):
        await repository.register({5: ("new", "New"), **other})
    assert await rows(engine, "select slug from bookmakers") == [("near",)]


async def test_facts_count_what_is_stored(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Facts are events, snapshots, market changes, and ids that stand in the history more than once."""
    twice = snapshot(NOON, market(RESULT, "", 2000), market(TOTAL, "line=1", 1900))
    await handler.write(JOURNAL, stamped(events(7, 8), batch(twice)))
    await handler.write(uuid.UUID(int=2), stamped(batch(twice)))
    facts = await FactsRepository(engine).facts()
    assert (facts.events, facts.odds_snapshots, facts.market_odds, facts.doubled) == (2, 2, 4, 1)
