"""What the write queue does about writes that fail: retries, pauses, puts aside; and what it says of it."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from overround.db.dead_letters import DeadLetterRepository
from overround.errors import SettingsError
from overround.latency import LatencyWindow
from overround.records.batch import MarketWriteData, WriteBatch
from overround.records.writing import WriterState
from overround.storage.ack_log import AckLog
from overround.storage.attempts import Attempts, Backoff
from overround.storage.dead_letters import DeadLetters
from overround.testing import ManualClock
from tests.integration.queue_bench import START, Bench, batch
from tests.integration.write_data import rows

NUL = MarketWriteData(3, "line=\x00", (2000, 2000))


def poisonous(minute: int) -> WriteBatch:
    """Return a batch whose only snapshot no table takes."""
    one = batch(minute, 2000)
    (snapshot,) = one.snapshots
    return msgspec.structs.replace(one, snapshots=(msgspec.structs.replace(snapshot, markets=(NUL,)),))


async def execute(bench: Bench, statement: str) -> None:
    """Change the database behind the queue's back."""
    async with bench.engine.begin() as connection:
        await connection.execute(text(statement))


async def until(bench: Bench, state: WriterState) -> None:
    """Wait until the writer is in a state."""
    async with asyncio.timeout(20):
        while bench.queue.stats().state is not state:  # noqa: ASYNC110 - nothing announces the state
            await asyncio.sleep(0)


async def test_a_missing_column_pauses_the_writer(bench: Bench) -> None:
    """A column dropped under load opens the breaker; restored, everything is written and nothing is dead."""
    with capture_logs() as logs:
        await bench.queue.enqueue(batch(0, 2000))
        await bench.queue.drain()
        await execute(bench, "alter table odds_snapshots rename column body_hash to gone")
        for minute in range(1, 12):
            await bench.queue.enqueue(batch(minute, 2000 + minute))
        await until(bench, WriterState.BREAKER_OPEN)
        paused = bench.queue.stats()
        assert paused.pending == 11
        assert "body_hash" in paused.state_reason
        assert paused.state_since is not None
        await execute(bench, "alter table odds_snapshots rename column gone to body_hash")
        await bench.queue.drain()
    assert await bench.stored() == list(range(2000, 2012))
    stats = bench.queue.stats()
    assert (stats.state, stats.state_reason, stats.dead_lettered) == (WriterState.RUNNING, "", 0)
    assert await rows(bench.engine, "select count(*) from dead_letters") == [(0,)]
    events = [log["event"] for log in logs]
    assert (events.count("write_breaker_open"), events.count("write_breaker_closed")) == (1, 1)


async def test_an_open_breaker_is_probed_with_a_single_batch(bench: Bench) -> None:
    """While the breaker is open one batch is tried at a time, at long intervals; then all that wait."""
    bench.handler.before = [asyncpg.UndefinedTableError("gone")] * 9
    bench.handler.held = asyncio.Event()
    for minute in range(6):
        await bench.queue.enqueue(batch(minute, 2000))
    await asyncio.sleep(0)
    bench.handler.held.set()
    await bench.queue.drain()
    assert bench.handler.sizes[1:10] == [1] * 9
    assert bench.handler.sizes[10] > 1
    assert max(bench.clock.slept) <= 60
    assert sum(bench.clock.slept) > 9
    assert bench.queue.stats().retries == {"break": 9}


async def test_a_database_that_does_not_answer_is_told(bench: Bench) -> None:
    """While a question waits for its answer the figures say for how long; with the answer that is over."""
    bench.handler.held = asyncio.Event()
    await bench.queue.enqueue(batch(0, 2000))
    while not bench.queue.stats().unanswered_seconds:
        bench.clock.advance(6)
        await asyncio.sleep(0)
    stats = bench.queue.stats()
    assert (stats.pending, stats.state) == (1, WriterState.RUNNING)
    assert stats.unanswered_seconds >= 6
    bench.handler.held.set()
    await bench.queue.drain()
    assert bench.queue.stats().unanswered_seconds == 0


async def test_too_many_dead_letters_hold_a_bookmaker_s_rows(bench: Bench) -> None:
    """Where one batch after another of a bookmaker fails for its content, its further rows are held back."""
    for minute in range(30):
        await bench.queue.enqueue(poisonous(minute))
    await bench.queue.drain()
    dead = await rows(bench.engine, "select count(*) from dead_letters")
    held = await rows(bench.engine, "select sum(snapshots), min(sqlstate) from held_rows")
    stats = bench.queue.stats()
    assert dead == [(stats.dead_snapshots,)]
    assert stats.dead_snapshots == 21
    assert (stats.state, held, stats.held_snapshots) == (WriterState.RUNNING, [(9, "22021")], 9)
    assert stats.dead_snapshots + stats.held_snapshots == stats.accepted_snapshots == 30


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.AdminShutdownError("stop"), "retry"),
        (asyncpg.DeadlockDetectedError("deadlock"), "retry"),
        (ConnectionResetError("gone"), "retry"),
        (TimeoutError(), "retry"),
        (asyncpg.UndefinedColumnError("column"), "break"),
        (asyncpg.InsufficientPrivilegeError("right"), "break"),
        (asyncpg.DataCorruptedError("checksum"), "unforeseen"),
        (RuntimeError("never seen"), "unforeseen"),
        (asyncpg.UniqueViolationError("outside of the content"), "unforeseen"),
    ],
)
async def test_every_failure_is_retried_by_its_class(bench: Bench, error: Exception, kind: str) -> None:
    """Whatever fails is tried again and counted by class; what nobody has foreseen raises an alarm."""
    bench.handler.before = [error] * 3
    with capture_logs() as logs:
        await bench.queue.enqueue(batch(0, 2100))
        await bench.queue.drain()
    assert await bench.stored() == [2100]
    assert bench.queue.stats().retries == {kind: 3}
    assert [log["event"] for log in logs].count("write_error_unforeseen") == (3 if kind == "unforeseen" else 0)


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (ConnectionRefusedError(111, "refused"), 3.0),
        (FileNotFoundError(2, "no socket"), 3.0),
        (asyncpg.CannotConnectNowError("the database system is starting up"), 3.0),
        (asyncpg.ConnectionDoesNotExistError("closed"), 3.0),
        (asyncpg.DeadlockDetectedError("deadlock"), 30.0),
        (asyncpg.DiskFullError("full"), 30.0),
    ],
)
async def test_a_server_that_is_away_is_looked_for_more_often(error: Exception, longest: float) -> None:
    """After many failures a server that does not answer is asked within 3 s; one that refuses is left alone longer."""
    clock, failures = ManualClock(), [error] * 400

    async def write() -> None:
        if failures:
            raise failures.pop()

    await Attempts(clock, Backoff()).at_last(write)
    assert longest * 0.9 < max(clock.slept) <= longest


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_pauses_are_jittered_and_capped(attempt: int, seed: int) -> None:
    """A pause is anything from none to a bound that doubles from 0.1 s to 30 s."""
    random.seed(seed)
    assert 0 <= Backoff().delay(attempt) <= min(30.0, 0.1 * 2 ** min(attempt - 1, 20))


def test_pauses_use_all_of_their_bound() -> None:
    """Full jitter: over many tries the pauses spread over all tenths of the bound."""
    tenths = {int(Backoff().delay(40) // 3) for _ in range(2000)}
    assert tenths == set(range(10))


async def test_sums_add_up_with_dead_letters_and_lost_replies(bench: Bench) -> None:
    """Accepted = applied + dead + left in snapshots, also where a commit's reply was lost."""
    bench.handler.after = [ConnectionResetError("reply lost")]
    with capture_logs() as logs:
        for minute in range(12):
            await bench.queue.enqueue(poisonous(minute) if minute % 4 == 0 else batch(minute, 2000))
        await bench.queue.stop(5)
    stopped = logs[-1]
    assert (stopped["accepted_snapshots"], stopped["applied_snapshots"]) == (12, 9)
    assert (stopped["dead_snapshots"], stopped["left_snapshots"], stopped["recovered_snapshots"]) == (3, 0, 0)
    assert await rows(bench.engine, "select sum(snapshots), sum(dead_snapshots) from write_batches") == [(9, 3)]


async def test_what_an_earlier_process_left_is_counted_apart(bench: Bench) -> None:
    """Batches that were journalled before the start, and one that cannot be decoded, hold nothing up."""
    await bench.queue.stop(5)
    later = Bench(bench.engine)
    await later.journal.open()
    await later.journal.append(msgspec.msgpack.encode(batch(0, 2000)))
    await later.journal.append(b"\xc1")
    await later.queue.start()
    await later.queue.enqueue(batch(1, 2001))
    await later.queue.stop(5)
    stats = later.queue.stats()
    assert (stats.accepted_snapshots, stats.recovered_snapshots, stats.applied_snapshots) == (1, 1, 2)
    assert (stats.dead_lettered, stats.dead_snapshots) == (1, 0)
    assert await rows(bench.engine, "select kind, payload from dead_letters") == [("batch", b"\xc1")]
    await later.journal.close()


async def test_a_cancelled_caller_does_not_upset_the_sums(bench: Bench) -> None:
    """A batch whose caller was cancelled when the journal had it counts as accepted once it is committed."""
    append = bench.journal.append

    async def append_and_wait(body: bytes) -> None:
        await append(body)
        await asyncio.Event().wait()

    bench.journal.append = append_and_wait  # type: ignore[method-assign,assignment]  # waits where a disk would
    caller = asyncio.create_task(bench.queue.enqueue(batch(0, 2000)))
    await asyncio.sleep(0)
    await bench.queue.drain()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    stats = bench.queue.stats()
    assert (stats.accepted_snapshots, stats.applied_snapshots, stats.left_snapshots) == (1, 1, 0)


async def test_a_retry_goes_through_the_queue(bench: Bench) -> None:
    """Retried while the queue runs, a letter is gone when the queue has drained, and the row is there."""
    await execute(
        bench, "alter table latest_odds add constraint cheap check ((unpacked_prices(prices))[1] < 5000) not valid"
    )
    await bench.queue.enqueue(batch(0, 9000))
    await bench.queue.drain()
    await execute(bench, "alter table latest_odds drop constraint cheap")
    letters = DeadLetters(DeadLetterRepository(bench.engine), bench.queue.enqueue)
    assert (await letters.retry(None)).retried == [1]
    await bench.queue.drain()
    assert await bench.stored() == [9000]
    assert await letters.repository.kinds() == {}
    stats = bench.queue.stats()
    assert (stats.accepted_snapshots, stats.applied_snapshots, stats.dead_snapshots) == (2, 1, 1)


async def test_latency_runs_from_the_change_to_its_commit(bench: Bench) -> None:
    """A batch counts from its newest snapshot; confirmations alone count for nothing."""
    bench.clock.advance(90)
    await bench.queue.enqueue(batch(1, 2000))
    await bench.queue.enqueue(WriteBatch(scrape_run_id=1, batch_index=0))
    await bench.queue.drain()
    latency = bench.queue.stats().change_to_committed
    assert (latency.count, latency.p50, latency.p99) == (1, 30.0, 30.0)
    assert (latency.buckets[10.0], latency.buckets[30.0], latency.buckets[300.0]) == (0, 1, 1)


def test_percentiles_are_of_the_newest() -> None:
    """Count and buckets cover everything since start, percentiles the last thousand or so."""
    window = LatencyWindow()
    for _ in range(2000):
        window.add(50.0)
    for number in range(1024):
        window.add(number / 1000)
    latency = window.latency()
    assert (latency.count, latency.p50, latency.p99) == (3024, 0.511, 1.012)
    assert latency.buckets[300.0] == 3024


async def test_the_ack_log_has_a_line_for_each_batch(bench: Bench, tmp_path: Path) -> None:
    """A line is in the file when `enqueue` returns, and agrees with what the database recorded."""
    file = tmp_path / "logs" / "acks"
    bench.queue.on_accepted(AckLog(file).note)
    for minute in range(3):
        entry = await bench.queue.enqueue(batch(minute, 2000))
        assert file.read_text(encoding="utf-8").splitlines()[-1].startswith(f"{entry.generation} {entry.seq} 1 ")
    await bench.queue.drain()
    query = "select journal, seq, snapshots, encode(body_hash, 'hex') from write_batches"
    written = await rows(bench.engine, f"{query} join journal_watermarks using (epoch)")
    lines = [" ".join(map(str, row)) for row in sorted(written, key=str)]
    assert file.read_text(encoding="utf-8").splitlines() == lines


async def test_an_ack_log_that_cannot_be_written_is_said_so(bench: Bench, tmp_path: Path) -> None:
    """A bad path is refused at the start; a failure later is logged, and the batch is accepted in any case."""
    with pytest.raises(SettingsError):
        AckLog(tmp_path)
    log = AckLog(tmp_path / "acks")
    bench.queue.on_accepted(log.note)
    (tmp_path / "acks").unlink()
    (tmp_path / "acks").mkdir()
    with capture_logs() as logs:
        await bench.queue.enqueue(batch(0, 2000))
    assert "ack_log_failed" in [entry["event"] for entry in logs]
    await bench.queue.drain()
    assert await bench.stored() == [2000]
    assert bench.queue.stats().state_since == START + timedelta(0)
