"""The write queue on a real database: it commits what it accepted, whatever gets in its way."""

import asyncio
import uuid

import pytest
from structlog.testing import capture_logs

from overround.errors import QueueClosedError
from overround.records.batch import ConfirmedSnapshot, WriteBatch
from tests.integration.queue_bench import START, Bench, batch


async def test_accepted_batches_are_committed_in_order(bench: Bench) -> None:
    """What enqueue accepted is in the database after draining, once each."""
    for minute in range(10):
        await bench.queue.enqueue(batch(minute, 2000 + minute))
    await bench.queue.drain()
    assert await bench.stored() == list(range(2000, 2010))
    assert bench.queue.stats().pending == 0


async def test_waiting_batches_share_a_transaction_up_to_maxsize(bench: Bench) -> None:
    """What piled up during a slow commit is written together, at most `maxsize` batches at once."""
    bench.handler.held = asyncio.Event()
    for minute in range(9):
        await bench.queue.enqueue(batch(minute, 2000 + minute))
    bench.handler.held.set()
    await bench.queue.drain()
    assert max(bench.handler.sizes) == 4
    assert sum(bench.handler.sizes) == 9


async def test_enqueue_does_not_wait_for_the_database(bench: Bench) -> None:
    """With the writer stuck, enqueue still returns."""
    bench.handler.held = asyncio.Event()
    for minute in range(20):
        await bench.queue.enqueue(batch(minute, 2000))
    assert bench.queue.stats().pending == 20
    bench.handler.held.set()
    await bench.queue.drain()


@pytest.mark.parametrize("failures", [1, 7])
async def test_failures_are_retried_until_they_pass(bench: Bench, failures: int) -> None:
    """However often the database refuses, the batch gets there; pauses never exceed the cap."""
    bench.handler.before = [ConnectionResetError("gone")] * failures
    await bench.queue.enqueue(batch(0, 2100))
    await bench.queue.drain()
    assert await bench.stored() == [2100]
    assert bench.queue.stats().retried == failures
    assert all(pause <= 1.0 for pause in bench.clock.slept)


async def test_a_lost_commit_reply_doubles_nothing(bench: Bench) -> None:
    """Where the commit went through and its answer was lost, the retry writes nothing again."""
    bench.handler.after = [ConnectionResetError("reply lost")]
    await bench.queue.enqueue(batch(0, 2100))
    await bench.queue.drain()
    assert await bench.stored() == [2100]


async def test_a_confirmation_without_a_snapshot_is_reported(bench: Bench) -> None:
    """Whoever confirms what the database does not have hears of it."""
    confirmed = ConfirmedSnapshot(7, "betpawa", START, uuid.uuid4(), START)
    await bench.queue.enqueue(WriteBatch(scrape_run_id=1, batch_index=0, confirmed=(confirmed,)))
    await bench.queue.drain()
    assert bench.missed == [(7, "betpawa")]
    assert bench.queue.stats().missed_confirmations == 1


async def test_stop_drains_and_adds_up(bench: Bench) -> None:
    """Stopping commits what is pending; its report counts as many snapshots written as accepted."""
    with capture_logs() as logs:
        for minute in range(6):
            await bench.queue.enqueue(batch(minute, 2000 + minute))
        await bench.queue.stop(5)
    stopped = logs[-1]
    assert stopped["event"] == "write_queue_stopped"
    assert (stopped["pending"], stopped["left_snapshots"]) == (0, 0)
    assert (stopped["accepted_snapshots"], stopped["applied_snapshots"]) == (6, 6)
    assert len(await bench.stored()) == 6


async def test_stop_keeps_to_its_deadline(bench: Bench) -> None:
    """With the database stuck, stop returns and leaves the rest in the journal."""
    bench.handler.held = asyncio.Event()
    await bench.queue.enqueue(batch(0, 2100))
    await bench.queue.stop(0.01)
    assert bench.journal.stats().pending == 1


async def test_a_stopped_queue_takes_nothing(bench: Bench) -> None:
    """After stop, enqueue is refused."""
    await bench.queue.stop(5)
    with pytest.raises(QueueClosedError):
        await bench.queue.enqueue(batch(0, 2100))


async def test_log_events_tell_the_way_of_a_batch(bench: Bench) -> None:
    """A batch leaves an event when it is enqueued, retried and committed."""
    bench.handler.before = [TimeoutError("slow")]
    with capture_logs() as logs:
        await bench.queue.enqueue(batch(0, 2100))
        await bench.queue.drain()
    names = [log["event"] for log in logs]
    assert names == ["write_batch_enqueued", "write_batch_retry", "write_batch_committed"]
