import asyncio
import uuid
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.engine import create_engine, while_connected
from overround.db.error_classes import Exit, classify, is_away
from overround.db.repositories import BookmakerRepository, FactsRepository
from overround.records.batch import EventScrapeStatus, ListingWriteData, RunStatus, ScrapeOutcome, WriteBatch
from overround.storage.write_handler import InlineWriter, PostgresWriteHandler
from tests.integration.write_data import (
    CATALOGUE,
    MINUTE,
    NOON,
    NUMBERS,
    RESULT,
    TOTAL,
    batch,
    confirmation,
    descriptions,
    event,
    listing,
    market,
    rows,
    run,
    snapshot,
    stamped,
    unchanged,
)
from tests.support.cutting_proxy import cutting_proxy
from tests.support.forwarding import applied

JOURNAL, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
_SECOND_PIECE = 3  # of a copy: a header, pieces of 64 rows, the end
LATEST = """
select snapshot_id, unpacked_smallints(market_ids), specifiers, unpacked_smallints(counts), unpacked_prices(prices),
    unpacked_instants(changed_at), unpacked_instants(confirmed_at)
from latest_odds
"""
COUNT = "select count(*) from odds_snapshots"
CONFIRMED = "select captured_at, last_confirmed_at from odds_snapshots order by captured_at"


async def test_a_changed_snapshot_is_one_history_row_and_the_latest_state(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """A changed snapshot is appended to the history with its changed markets, and becomes the latest state whole."""
    first = snapshot(NOON, market(RESULT, "", 2100, 3200, 3500), market(TOTAL, "line=2.5", 1850, 1950))
    kept = unchanged(RESULT, "", (2100, 3200, 3500), NOON)
    second = snapshot(NOON + MINUTE, market(TOTAL, "line=2.5", 1900, 1900), rest=(kept,))
    report = await handler.write(JOURNAL, stamped(batch(first), batch(second)))
    assert (report.batches, report.snapshots, report.markets, report.confirmed) == (2, 2, 3, 0)
    history = await rows(
        engine, "select market_ids, specifiers, counts, prices from odds_snapshots order by captured_at"
    )
    assert history == [
        ([RESULT, TOTAL], ["", "line=2.5"], [3, 2], [2100, 3200, 3500, 1850, 1950]),
        ([TOTAL], ["line=2.5"], [2], [1900, 1900]),
    ]
    latest = await rows(engine, LATEST)
    changed, confirmed = [NOON + MINUTE, NOON], [NOON + MINUTE, NOON]
    prices = [1900, 1900, 2100, 3200, 3500]
    assert latest == [(second.snapshot_id, [TOTAL, RESULT], "line=2.5\n\n", [2, 3], prices, changed, confirmed)]


async def test_times_that_a_complete_body_gives_to_all_markets_are_not_repeated(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """Where every market was seen at `captured_at`, the latest state holds no list of confirmations."""
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON))))
    assert await rows(engine, "select unpacked_instants(confirmed_at) from latest_odds") == [([],)]
    assert await rows(engine, "select distinct confirmed_at from prices") == [(NOON,)]


async def test_last_confirmed_is_null_until_a_confirmation(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """`last_confirmed_at` is NULL at insert, and a confirmation sets it on the newest row alone."""
    newest = snapshot(NOON + MINUTE)
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON)), batch(newest)))
    assert await rows(engine, CONFIRMED) == [(NOON, None), (NOON + MINUTE, None)]
    report = await handler.write(JOURNAL, stamped(batch(confirmed=[confirmation(NOON + 2 * MINUTE, newest)]), first=3))
    assert (report.confirmed, report.missed) == (1, ())
    assert await rows(engine, CONFIRMED) == [(NOON, None), (NOON + MINUTE, NOON + 2 * MINUTE)]


async def test_the_confirmation_that_comes_last_counts(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """The clock may have been set back since the confirmation before it, and since the capture."""
    stood = snapshot(NOON)
    first, second = confirmation(NOON + 9 * MINUTE, stood), confirmation(NOON - MINUTE, stood)
    await handler.write(JOURNAL, stamped(batch(stood), batch(confirmed=[first])))
    report = await handler.write(JOURNAL, stamped(batch(confirmed=[second]), first=3))
    assert report.confirmed == 1
    assert await rows(engine, CONFIRMED) == [(NOON, NOON - MINUTE)]


async def test_a_confirmation_in_a_transaction_with_its_successor_belongs_to_the_older_row(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """Of snapshot, confirmation and next snapshot in one transaction, the confirmation is of the first snapshot."""
    stood, after = snapshot(NOON), snapshot(NOON + 2 * MINUTE)
    steps = stamped(batch(stood), batch(confirmed=[confirmation(NOON + MINUTE, stood)]), batch(after))
    report = await handler.write(JOURNAL, steps)
    assert report.confirmed == 1
    assert await rows(engine, CONFIRMED) == [(NOON, NOON + MINUTE), (NOON + 2 * MINUTE, None)]


async def test_a_confirmation_finds_a_snapshot_of_an_earlier_partition(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """A price that has stood for weeks is confirmed in the partition in which it was captured."""
    stood, seen = snapshot(NOON), NOON + timedelta(days=21)
    await handler.write(JOURNAL, stamped(batch(stood), batch(snapshot(NOON + timedelta(days=20), sr_id=8))))
    report = await handler.write(JOURNAL, stamped(batch(confirmed=[confirmation(seen, stood)]), first=3))
    assert report.confirmed == 1
    assert (await rows(engine, CONFIRMED))[0] == (NOON, NOON + timedelta(days=21))


async def test_a_confirmation_without_a_snapshot_is_reported(handler: PostgresWriteHandler) -> None:
    """Confirmations that find no row come back as (sr_id, bookmaker), and the others are written."""
    stood, *others = snapshot(NOON), snapshot(NOON, sr_id=9), snapshot(NOON, bookmaker="far")
    confirmed = [confirmation(NOON + MINUTE, one) for one in (stood, *others)]
    report = await handler.write(JOURNAL, stamped(batch(stood, confirmed=confirmed)))
    assert report.confirmed == 1
    assert set(report.missed) == {(9, "near"), (7, "far")}


async def test_writing_again_does_nothing(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A call repeated after a lost reply writes nothing, and one that overlaps writes only what is new."""
    batches = stamped(batch(snapshot(NOON)), batch(snapshot(NOON + MINUTE)), batch(snapshot(NOON + 2 * MINUTE)))
    await handler.write(JOURNAL, batches[:2])
    assert (await handler.write(JOURNAL, batches[:2])).batches == 0
    assert (await handler.write(JOURNAL, batches)).snapshots == 1
    assert await applied(handler, JOURNAL) == 3
    assert await rows(engine, COUNT) == [(3,)]


async def test_two_writers_of_one_journal_write_each_batch_once(engine: AsyncEngine) -> None:
    """Handlers that race with the same batches write each of them once: the watermark fences the loser."""
    await BookmakerRepository(engine).register({1: ("near", "Near")})
    handlers = [PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock()) for _ in range(4)]
    batches = stamped(*(batch(snapshot(NOON + step * MINUTE)) for step in range(10)))
    reports = await asyncio.gather(*(each.write(JOURNAL, batches[: 4 + 2 * n]) for n, each in enumerate(handlers)))
    assert sum(report.snapshots for report in reports) == 10
    assert (await FactsRepository(engine).facts()).doubled == 0
    assert await rows(engine, COUNT) == [(10,)]


async def test_seqs_may_be_missing(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A batch that the journal has lost, or that lies in the dead letters, does not hold up its successors."""
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON))))
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON + MINUTE)), first=5))
    assert await applied(handler, JOURNAL) == 5
    assert await rows(engine, COUNT) == [(2,)]


@pytest.mark.parametrize("moves", [False, True])
async def test_the_latest_state_moves_only_to_a_greater_place_in_the_order(
    handler: PostgresWriteHandler, engine: AsyncEngine, *, moves: bool
) -> None:
    """Another generation's batch replaces the latest state only if that generation was registered later."""
    await handler.register([JOURNAL, OTHER] if moves else [OTHER, JOURNAL])
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON)), first=10))
    other = snapshot(NOON + MINUTE, market(RESULT, "", 1100, 0, -1))
    await handler.write(OTHER, stamped(batch(other), first=1 if moves else 99))
    expected = [1100, 0, -1] if moves else [2100, 3200, 3500]
    assert await rows(engine, "select unpacked_prices(prices) from latest_odds") == [(expected,)]
    assert await rows(engine, COUNT) == [(2,)]


async def test_a_transaction_is_all_or_nothing(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A failure in the last statement leaves no row and no moved watermark, and the batches can be offered again."""
    stood = snapshot(NOON)
    good = batch(stood, confirmed=[confirmation(NOON + MINUTE, stood)])
    async with engine.begin() as connection:
        await connection.execute(text("alter table odds_snapshots rename column last_confirmed_at to gone"))
    with pytest.raises(asyncpg.UndefinedColumnError) as failure:
        await handler.write(JOURNAL, stamped(good))
    assert classify(failure.value) is Exit.BREAK
    async with engine.begin() as connection:
        await connection.execute(text("alter table odds_snapshots rename column gone to last_confirmed_at"))
    assert await applied(handler, JOURNAL) == 0
    assert (await rows(engine, COUNT), await rows(engine, "select count(*) from markets")) == ([(0,)], [(0,)])
    assert (await handler.write(JOURNAL, stamped(good))).snapshots == 1
    assert await rows(engine, "select count(*) from markets") == [(1,)]


@pytest.mark.parametrize(
    "poison",
    [
        batch(snapshot(NOON, market(RESULT, "", 2**31))),
        batch(snapshot(NOON, market(2**15, "", 2000))),
        batch(snapshot(NOON, market(TOTAL, "line=\x00", 2000))),
        batch(snapshot(NOON, market(TOTAL, "line=\ud800", 2000))),
        batch(snapshot(NOON, bookmaker="nobody")),
        batch(snapshot(NOON, sr_id=2**63)),
        batch(confirmed=[confirmation(NOON, snapshot(NOON, sr_id=2**63))]),
        WriteBatch(scrape_run_id=1, batch_index=0, events=(event(home="R\x00ds"),)),
        WriteBatch(scrape_run_id=1, batch_index=0, run=run(RunStatus.RUNNING, events=2**31)),
    ],
)
async def test_what_the_database_cannot_hold_is_put_aside(
    handler: PostgresWriteHandler, engine: AsyncEngine, poison: WriteBatch
) -> None:
    """A unit whose content is at fault ends in the dead letters; the batches before and after it are written."""
    first, last = batch(snapshot(NOON)), batch(snapshot(NOON + MINUTE))
    report = await handler.write(JOURNAL, stamped(first, poison, last))
    assert (report.batches, report.snapshots, report.dead) == (3, 2, 1)
    assert await rows(engine, COUNT) == [(2,)]
    assert await rows(engine, "select seq from dead_letters") == [(2,)]
    assert (await handler.write(JOURNAL, stamped(batch(snapshot(NOON)), first=4))).snapshots == 1


async def test_an_unregistered_bookmaker_is_named(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A snapshot of a bookmaker without a number is put aside under that bookmaker's name."""
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON, bookmaker="nobody"))))
    letters = await rows(engine, "select bookmaker, sqlstate, reason from dead_letters")
    assert letters == [("nobody", "", "no bookmaker 'nobody' is registered")]


async def test_descriptions_are_upserted(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Events, listings and runs are kept as the last batch has them, and when they were first seen stays."""
    later = NOON + MINUTE
    await handler.write(JOURNAL, stamped(descriptions(NOON)))
    await handler.write(JOURNAL, stamped(descriptions(later, home="Rovers", status=RunStatus.COMPLETED), first=2))
    events = await rows(engine, "select id, home, first_seen_at, updated_at from events")
    assert events == [(7, "Rovers", NOON, later)]
    listings = await rows(
        engine, "select bookmaker_id, listing_id, event_id, home, first_seen_at, seen_at from listings"
    )
    assert listings == [(1, "L7", 7, "Rovers", NOON, later)]
    assert await rows(engine, "select id, kind, status, errors from scrape_runs") == [
        (1, "cycle", "completed", {"transient": 2})
    ]
    statuses = await rows(engine, "select scrape_run_id, event_id, bookmaker_id, outcome from event_scrape_status")
    assert statuses == [(1, 7, 1, "changed")] * 2


async def test_an_older_description_does_not_replace_a_newer_one(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """What an old journal says about events, listings and runs comes too late."""
    await handler.register([OTHER, JOURNAL])
    await handler.write(JOURNAL, stamped(descriptions(NOON, status=RunStatus.COMPLETED)))
    await handler.write(OTHER, stamped(descriptions(NOON, home="Old"), first=8))
    assert await rows(engine, "select home from events union all select home from listings") == [("Reds",), ("Reds",)]
    assert await rows(engine, "select status from scrape_runs") == [("completed",)]


async def test_a_listing_that_vanished_says_when(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A vanished listing keeps its row with `gone_at`, and loses it when it returns."""
    gone = WriteBatch(
        scrape_run_id=1,
        batch_index=0,
        listings=(
            ListingWriteData(listing=listing(), seen_at=NOON, gone_at=NOON + MINUTE, duplicate=True),
            ListingWriteData(listing=listing("L8", None), seen_at=NOON),
        ),
    )
    query = "select listing_id, event_id, gone_at, duplicate from listings order by listing_id"
    await handler.write(JOURNAL, stamped(gone))
    assert await rows(engine, query) == [("L7", 7, NOON + MINUTE, True), ("L8", None, None, False)]
    await handler.write(JOURNAL, stamped(descriptions(NOON + 2 * MINUTE), first=2))
    assert (await rows(engine, query))[0] == ("L7", 7, None, False)


async def test_partitions_are_made_as_needed(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Snapshots and statuses of different times land in different partitions, also in one transaction."""
    days = [NOON + timedelta(days=day) for day in (0, 1, 30)]
    statuses = tuple(
        EventScrapeStatus(
            sr_id=7, bookmaker="near", outcome=ScrapeOutcome.FAILED, scraped_at=day, duration_ms=1, bytes=0
        )
        for day in days
    )
    await handler.write(
        JOURNAL,
        stamped(
            WriteBatch(
                scrape_run_id=1, batch_index=0, snapshots=tuple(snapshot(day) for day in days), statuses=statuses
            )
        ),
    )
    placed = "select tableoid::regclass::text, count(*) from {} group by 1 order by 1"
    assert await rows(engine, placed.format("odds_snapshots")) == [
        ("odds_snapshots_20260105", 2),
        ("odds_snapshots_20260202", 1),
    ]
    assert [name for name, _ in await rows(engine, placed.format("event_scrape_status"))] == [
        "event_scrape_status_20260107",
        "event_scrape_status_20260108",
        "event_scrape_status_20260206",
    ]


async def test_a_partition_that_retention_dropped_is_made_again(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """A write into a partition dropped meanwhile fails once, and succeeds when it is offered again."""
    await handler.write(JOURNAL, stamped(batch(snapshot(NOON))))
    async with engine.begin() as connection:
        await connection.execute(text("drop table odds_snapshots_20260105"))
    with pytest.raises(asyncpg.CheckViolationError):
        await handler.write(JOURNAL, stamped(batch(snapshot(NOON + MINUTE)), first=2))
    assert (await handler.write(JOURNAL, stamped(batch(snapshot(NOON + MINUTE)), first=2))).snapshots == 1


async def test_the_inline_writer_commits_in_the_order_of_the_calls(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """Inline writes started together are committed one by one, in the order in which they were called."""
    writer = InlineWriter(handler)
    batches = [batch(snapshot(NOON + step * MINUTE, market(RESULT, "", 2000 + step))) for step in range(8)]
    reports = await asyncio.gather(*(writer.write(each) for each in batches))
    assert [report.snapshots for report in reports] == [1] * 8
    assert await rows(
        engine, "select unpacked_prices(prices), journal from latest_odds join journal_watermarks using (epoch)"
    ) == [([2007], writer.generation)]


async def test_a_failed_inline_write_does_not_hold_up_the_next(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """An inline write that fails is not written; those after it are."""
    writer = InlineWriter(handler)
    async with engine.begin() as connection:
        await connection.execute(text("alter table latest_odds rename to gone"))
    with pytest.raises(asyncpg.UndefinedTableError):
        await writer.write(batch(snapshot(NOON)))
    async with engine.begin() as connection:
        await connection.execute(text("alter table gone rename to latest_odds"))
    await writer.write(batch(snapshot(NOON)))
    assert await rows(engine, COUNT) == [(1,)]


async def test_a_database_that_is_away_asks_for_a_retry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where no server listens, the failure is one to retry."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    engine = create_engine(f"postgresql://nobody@/nothing?host={nowhere}", "overround tests")
    handler = PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
    with pytest.raises(OSError, match="No such file") as failure:
        await handler.write(JOURNAL, stamped(batch(snapshot(NOON))))
    assert classify(failure.value) is Exit.RETRY
    await engine.dispose()


@pytest.mark.parametrize(("cut", "reason"), [(True, "the connection was lost"), (False, "not done after 0.01 s")])
async def test_what_ended_a_copy_is_said(engine: AsyncEngine, reason: str, *, cut: bool) -> None:
    """A copy whose connection went, and one that took too long, are both to be tried again, and told apart."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None

        async def copying() -> None:
            async with while_connected(raw, 60 if cut else 0.01):
                if cut:
                    raw.terminate()
                await asyncio.Event().wait()

        with pytest.raises(ConnectionError, match=reason):
            await copying()
        await connection.invalidate()


async def test_a_connection_lost_in_the_middle_of_a_copy_fails_the_write(
    database_url: str, handler: PostgresWriteHandler
) -> None:
    """A server that goes while the driver waits to send more rows is noticed at once, and is a matter of retrying."""
    many = [market(TOTAL, f"line={number}", 2000, 2000) for number in range(400)]
    snapshots = [snapshot(NOON, *many, sr_id=number) for number in range(1, 129)]
    async with cutting_proxy(database_url, cut_at=_SECOND_PIECE) as address:
        engine = create_engine(address, "overround tests")
        cut_off = PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
        patience = asyncio.timeout(20)
        with pytest.raises((OSError, asyncpg.InterfaceError)) as caught:
            async with patience:
                await cut_off.write(JOURNAL, stamped(batch(*snapshots)))
        await engine.dispose()
    assert not patience.expired()
    assert is_away(caught.value)
    assert (await handler.write(JOURNAL, stamped(batch(*snapshots)))).snapshots == len(snapshots)
