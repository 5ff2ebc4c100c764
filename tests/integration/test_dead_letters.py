"""What fails for its content, on a real database: isolated, kept whole, brought back."""

import math
import uuid
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from overround.clock import SystemClock
from overround.db.dead_letters import DeadLetterRepository
from overround.db.engine import driver_connection
from overround.db.retention import keep_batches
from overround.errors import DeadLetterRunError, UnknownDeadLetterError
from overround.records.batch import (
    EventScrapeStatus,
    ListingWriteData,
    RunStatus,
    ScrapeOutcome,
    SnapshotWriteData,
    WriteBatch,
)
from overround.records.writing import StampedBatch
from overround.storage.batch_codec import body_hash, encode_batch
from overround.storage.dead_letters import DeadLetters, shown_content
from overround.storage.write_handler import PostgresWriteHandler
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
)
from tests.support.forwarding import applied

LETTERS = "select kind, seq, event_id, bookmaker, sqlstate from dead_letters order by id"
POISON = {
    "NUL in text": market(TOTAL, "line=\x00", 2000),
    "number out of range": market(RESULT, "", 2**31),
    "market out of range": market(2**15, "", 2000),
}


def many(count: int, poison: set[int], how: str = "NUL in text") -> list[SnapshotWriteData]:
    """Return snapshots of as many events, those at fault among them."""
    bad, good = POISON[how], market(RESULT, "", 2000, 3000, 4000)
    return [snapshot(NOON, bad if number in poison else good, sr_id=number + 1) for number in range(count)]


async def stored(engine: AsyncEngine) -> list[int]:
    """Return the events of the stored snapshots."""
    return [int(str(row[0])) for row in await rows(engine, "select event_id from odds_snapshots order by event_id")]


@pytest.mark.parametrize(
    ("how", "tries"), [("NUL in text", math.ceil(math.log2(1000)) + 2), *[(how, 2) for how in list(POISON)[1:]]]
)
async def test_one_snapshot_in_a_thousand(
    handler: PostgresWriteHandler, engine: AsyncEngine, how: str, tries: int
) -> None:
    """999 are applied and one is a dead letter with the reason; what cannot be encoded is named without a search."""
    batches = [batch(*many(1000, {617}, how)[start : start + 100]) for start in range(0, 1000, 100)]
    report = await handler.write(uuid.UUID(int=1), stamped(*batches))
    assert (report.snapshots, report.dead, report.dead_snapshots) == (999, 1, 1)
    assert report.tries <= tries
    assert await stored(engine) == [number for number in range(1, 1001) if number != 618]
    assert [row[:4] for row in await rows(engine, LETTERS)] == [("snapshot", 7, 618, "near")]
    assert await rows(engine, "select count(*) from latest_odds") == [(999,)]


@given(poison=st.sets(st.integers(0, 29), max_size=20), cut=st.integers(1, 30), how=st.sampled_from(list(POISON)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_set_of_snapshots_at_fault(
    handler: PostgresWriteHandler, engine: AsyncEngine, poison: set[int], cut: int, how: str
) -> None:
    """Exactly those at fault are dead letters, however they lie in the batches; all else is applied."""
    async with engine.begin() as connection:
        await connection.execute(text("truncate odds_snapshots, latest_odds, dead_letters"))
    del handler  # which has counted the dead letters of other examples
    fresh = PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
    everything = many(30, poison, how)
    batches = [batch(*everything[start : start + cut]) for start in range(0, 30, cut)]
    await fresh.write(uuid.uuid4(), stamped(*batches))
    assert await stored(engine) == [number + 1 for number in range(30) if number not in poison]
    letters = [number for (number,) in await rows(engine, "select event_id from dead_letters order by seq, event_id")]
    assert letters == [number + 1 for number in sorted(poison)]


async def test_each_kind_of_unit_stands_alone(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Event, listing, run, status, snapshot and confirmation at fault drag nothing else of their batch along."""
    good = descriptions(NOON)
    (status,) = good.statuses
    bad_status = EventScrapeStatus(
        sr_id=8, bookmaker="near", outcome=ScrapeOutcome.FAILED, scraped_at=NOON, duration_ms=2**31, bytes=0
    )
    stood = snapshot(NOON)
    mixed = WriteBatch(
        scrape_run_id=1,
        batch_index=0,
        events=(event(8, home="R\x00ds"), *good.events),
        listings=(ListingWriteData(listing=listing("L8", 8, "nobody"), seen_at=NOON), *good.listings),
        statuses=(status, bad_status),
        run=run(RunStatus.RUNNING, events=2**31),
        snapshots=(stood, snapshot(NOON, POISON["NUL in text"], sr_id=8)),
        confirmed=tuple(confirmation(NOON + MINUTE, one) for one in (stood, snapshot(NOON, sr_id=2**63))),
    )
    report = await handler.write(uuid.UUID(int=1), stamped(mixed))
    assert (report.snapshots, report.confirmed, report.dead, report.dead_snapshots) == (1, 1, 6, 2)
    kinds = sorted(str(kind) for (kind,) in await rows(engine, "select kind from dead_letters"))
    assert kinds == ["confirmation", "event", "listing", "run", "snapshot", "status"]
    for table in ("events", "listings", "event_scrape_status", "odds_snapshots", "latest_odds"):
        assert await rows(engine, f"select count(*) from {table}") == [(1,)], table  # noqa: S608 - names above
    assert await rows(engine, "select snapshots, confirmed, dead_snapshots, dead_confirmed from write_batches") == [
        (1, 1, 1, 1)
    ]


@pytest.mark.parametrize("at", [NOON.replace(tzinfo=None), NOON.replace(year=9999), NOON.replace(year=1)])
async def test_a_time_that_no_partition_can_hold(
    handler: PostgresWriteHandler, engine: AsyncEngine, at: object
) -> None:
    """A naive time, or one that is none at which anything was received, is content at fault."""
    bad = msgspec.structs.replace(snapshot(NOON, sr_id=8), captured_at=at)
    report = await handler.write(uuid.UUID(int=1), stamped(batch(snapshot(NOON), bad)))
    assert (report.snapshots, report.dead, report.tries) == (1, 1, 1)
    assert await rows(engine, LETTERS) == [("snapshot", 1, 8, "near", "")]


async def test_a_batch_that_cannot_be_decoded_is_kept_whole(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Its bytes are one dead letter, and the batches around it are written."""
    empty = WriteBatch(scrape_run_id=0, batch_index=0)
    garbled = StampedBatch(epoch=1, seq=2, batch=empty, body=b"\xc1garbled", unreadable="not a batch")
    first, last = stamped(batch(snapshot(NOON))), stamped(batch(snapshot(NOON + MINUTE)), first=3)
    assert (await handler.write(uuid.UUID(int=1), [*first, garbled, *last])).snapshots == 2
    assert await rows(engine, "select kind, seq, reason, payload from dead_letters") == [
        ("batch", 2, "not a batch", b"\xc1garbled")
    ]
    (letter,) = await DeadLetterRepository(engine).full([1])
    assert shown_content(letter) == "\\xc1garbled"


async def test_what_no_format_can_hold_is_kept_as_text(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """A unit that no journal could have held, written inline, becomes a letter for people, not for retry."""
    await handler.write(uuid.UUID(int=1), stamped(batch(snapshot(NOON, sr_id=2**80), run=2**80)))
    letters = DeadLetters(DeadLetterRepository(engine), fail_on_submit)
    (letter,) = await letters.repository.page(0, 10)
    assert (letter.payload_format, letter.event_id, letter.scrape_run_id) == ("text", None, None)
    assert str(2**80) in shown_content(await letters.read(letter.id))
    retried = await letters.retry(None)
    assert [one.id for one in retried.refused] == [letter.id]


async def fail_on_submit(batch: WriteBatch) -> None:
    """Stand in for a write path that is not to be used."""
    raise AssertionError(batch)


async def test_two_bookmakers_with_too_many_dead_letters_pause_the_writer(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """With more than twenty at fault of each of two bookmakers nothing is written, and nothing is put aside."""
    near = many(60, set(range(0, 50, 2)))
    both = [*near, *(msgspec.structs.replace(one, bookmaker="far") for one in near)]
    with pytest.raises(DeadLetterRunError):
        await handler.write(uuid.UUID(int=1), stamped(batch(*both)))
    assert (await stored(engine), await rows(engine, LETTERS)) == ([], [])
    assert await applied(handler, uuid.UUID(int=1)) == 0


async def test_dead_letters_in_one_write_after_another_are_too_many_at_last(
    handler: PostgresWriteHandler, engine: AsyncEngine
) -> None:
    """Small writes with one dead letter each are taken twenty times; from then on the rows are held back."""
    writes = stamped(*(batch(*many(2, {1})) for _ in range(22)))
    for write in writes[:21]:
        await handler.write(uuid.UUID(int=1), [write])
    report = await handler.write(uuid.UUID(int=1), writes[21:])
    assert (report.dead, report.snapshots, report.held) == (0, 0, 2)
    assert await rows(engine, "select count(*) from dead_letters") == [(21,)]
    assert await rows(engine, "select seq, snapshots from held_rows") == [(22, 2)]


async def test_each_batch_is_recorded_in_its_transaction(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """`write_batches` has every applied batch once, with the hash of its bytes; old ones can be forgotten."""
    stood = snapshot(NOON)
    batches = [batch(stood, confirmed=[confirmation(NOON, stood)]), batch(snapshot(NOON + MINUTE))]
    write = [msgspec.structs.replace(one, body=encode_batch(one.batch)) for one in stamped(*batches, first=10)]
    await handler.write(uuid.UUID(int=1), write)
    again = await handler.write(uuid.UUID(int=1), write)
    assert (again.batches, again.applied_before, again.dead_before) == (0, 3, 0)
    query = "select epoch, seq, snapshots, confirmed, body_hash from write_batches order by seq"
    hashes = [body_hash(one.body) for one in write]
    assert await rows(engine, query) == [(100, 10, 1, 1, hashes[0]), (100, 11, 1, 0, hashes[1])]
    async with driver_connection(engine) as connection:
        assert await keep_batches(connection, NOON, timedelta()) == 0
        assert await keep_batches(connection, SystemClock().now(), timedelta()) == 2


async def test_an_unknown_dead_letter_is_named(handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
    """Reading, retrying and dropping what is not there says so."""
    del handler
    letters = DeadLetters(DeadLetterRepository(engine), fail_on_submit)
    with pytest.raises(UnknownDeadLetterError, match="7"):
        await letters.read(7)
    assert (await letters.retry([7])).unknown == [7]
    assert (await letters.drop([7])).unknown == [7]


class Desk:
    """Dead letters whose retries are collected, and written by the test."""

    def __init__(self, handler: PostgresWriteHandler, engine: AsyncEngine) -> None:
        self.handler = handler
        self.submitted: list[WriteBatch] = []
        self.letters = DeadLetters(DeadLetterRepository(engine), self._submit)
        self._seq = 0

    async def _submit(self, one: WriteBatch) -> None:
        self.submitted.append(one)

    async def write(self, *batches: WriteBatch) -> int:
        """Write batches through the normal path; return how many units died."""
        write = stamped(*batches, first=self._seq + 1)
        self._seq += len(batches)
        return (await self.handler.write(uuid.UUID(int=1), write)).dead


@pytest.fixture
async def desk(handler: PostgresWriteHandler, engine: AsyncEngine) -> Desk:
    """Return dead letters on this test's database."""
    return Desk(handler, engine)


async def refuse_far(engine: AsyncEngine, *, refuse: bool) -> None:
    """Let the database refuse snapshots of the bookmaker `far`, or take them again."""
    constraint = "add constraint no_far check (bookmaker_id <> 2) not valid" if refuse else "drop constraint no_far"
    async with engine.begin() as connection:
        await connection.execute(text(f"alter table latest_odds {constraint}"))


async def test_a_retried_letter_goes_with_the_write_of_its_content(desk: Desk, engine: AsyncEngine) -> None:
    """The letter stays until its content is written; an older state does not replace what came meanwhile."""
    await refuse_far(engine, refuse=True)
    old, new = (market(RESULT, "", price, 3000, 4000) for price in (2000, 2500))
    assert await desk.write(batch(snapshot(NOON, old, bookmaker="far"))) == 1
    await refuse_far(engine, refuse=False)
    await desk.write(batch(snapshot(NOON + MINUTE, new, bookmaker="far")))
    assert (await desk.letters.retry(None)).retried == [1]
    assert len(await rows(engine, LETTERS)) == 1
    assert await desk.write(*desk.submitted) == 0
    assert await rows(engine, LETTERS) == []
    assert await rows(engine, "select prices[1] from odds_snapshots order by captured_at") == [(2000,), (2500,)]
    assert await rows(engine, "select (unpacked_prices(prices))[1], seq from latest_odds") == [(2500, 2)]


async def test_the_place_of_a_letter_holds_within_one_transaction(desk: Desk, engine: AsyncEngine) -> None:
    """A retried state behind a newer one in the same transaction does not become the latest."""
    await refuse_far(engine, refuse=True)
    await desk.write(batch(snapshot(NOON, bookmaker="far")))
    await refuse_far(engine, refuse=False)
    await desk.letters.retry([1])
    newer = batch(snapshot(NOON + MINUTE, market(RESULT, "", 2500, 3000, 4000), bookmaker="far"))
    await desk.write(newer, *desk.submitted)
    assert await rows(engine, "select (unpacked_prices(prices))[1] from latest_odds") == [(2500,)]
    assert await rows(engine, "select count(*) from odds_snapshots") == [(2,)]


async def test_a_letter_is_written_once_however_often_it_is_retried(desk: Desk, engine: AsyncEngine) -> None:
    """Retried twice, in one transaction or in two, or by a process that died in between, it is written once."""
    await refuse_far(engine, refuse=True)
    await desk.write(batch(snapshot(NOON, bookmaker="far")))
    await refuse_far(engine, refuse=False)
    for _ in range(3):
        await desk.letters.retry(None)
    await desk.write(*desk.submitted[:2])
    await desk.write(*desk.submitted[2:])
    assert await rows(engine, "select count(*) from odds_snapshots") == [(1,)]
    query = "select snapshots, dead_snapshots from write_batches order by seq"
    assert await rows(engine, query) == [(0, 1), (1, 0), (0, 0), (0, 0)]


async def test_a_write_that_fails_leaves_the_letter(desk: Desk, engine: AsyncEngine) -> None:
    """Where the transaction does not commit, letter and content stay as they were."""
    await refuse_far(engine, refuse=True)
    await desk.write(batch(snapshot(NOON, bookmaker="far")))
    await refuse_far(engine, refuse=False)
    await desk.letters.retry(None)
    async with engine.begin() as connection:
        await connection.execute(text("alter table latest_odds rename to gone"))
    with pytest.raises(Exception, match="latest_odds"):
        await desk.write(*desk.submitted)
    async with engine.begin() as connection:
        await connection.execute(text("alter table gone rename to latest_odds"))
    assert (await stored(engine), len(await rows(engine, LETTERS))) == ([], 1)
    await desk.write(*desk.submitted)
    assert (await stored(engine), await rows(engine, LETTERS)) == ([7], [])


async def test_what_fails_again_keeps_its_place_in_a_new_letter(desk: Desk, engine: AsyncEngine) -> None:
    """A letter that fails again has a new id and its old place; any number of them opens no breaker."""
    await desk.write(batch(*many(40, set(range(20)))))
    with capture_logs() as logs:
        await desk.letters.retry(None)
        assert await desk.write(*desk.submitted) == 20
        assert await desk.write(batch(*many(2, {0}))) == 0 + 1
    assert [log["event"] for log in logs].count("write_unit_dead_lettered") == 21
    letters = await rows(engine, "select id, seq from dead_letters order by id")
    assert letters[:20] == [(number, 1) for number in range(21, 41)]


async def test_a_dropped_letter_is_not_written_by_a_retry_under_way(desk: Desk, engine: AsyncEngine) -> None:
    """Dropping wins over a retry whose batch waits in the journal."""
    await refuse_far(engine, refuse=True)
    await desk.write(batch(snapshot(NOON, bookmaker="far")))
    await refuse_far(engine, refuse=False)
    await desk.letters.retry(None)
    assert (await desk.letters.drop(None)).dropped == [1]
    await desk.write(*desk.submitted)
    assert await stored(engine) == []


async def test_a_line_break_in_specifiers_is_content_at_fault(desk: Desk, engine: AsyncEngine) -> None:
    """The latest state keeps specifiers a line each: a snapshot that would break that is put aside."""
    assert await desk.write(batch(snapshot(NOON, market(TOTAL, "line=1\n2", 2000, 2000), sr_id=8), snapshot(NOON))) == 1
    ((reason,),) = await rows(engine, "select reason from dead_letters")
    assert "line break" in str(reason)
    assert await rows(engine, "select count(*) from odds_snapshots") == [(1,)]
