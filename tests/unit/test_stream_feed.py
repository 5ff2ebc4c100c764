"""What the coordinator lets the stream know, and when: scripted bookmakers, no database."""

import asyncio
import uuid

import msgspec
import pytest

from overround.errors import JournalWriteError
from overround.ports import BatchWriter, WriteQueue
from overround.records.batch import WriteBatch
from overround.records.writing import JournalEntry, QueueStats
from overround.scraping.event_coordinator import EventCoordinator
from overround.storage.write_handler import InlineWriter
from overround.streaming.hub import StreamHub
from overround.streaming.log import Confirmed, Gone, Item, Moved, Told
from overround.testing import MemoryWriteHandler
from tests.support.desk import OPTIONS, Desk, listing, result_prices

GENERATION = uuid.UUID(int=3)


class HeldQueue:
    """A journal that acknowledges prices when the test lets it; implements the `WriteQueue` port."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.failure: JournalWriteError | None = None
        self._seq = 0

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Wait, and acknowledge or fail."""
        self._seq += 1
        entry = JournalEntry(generation=GENERATION, seq=self._seq, position=self._seq, body=b"")
        if batch.snapshots:
            self.entered.set()
            await self.open.wait()
            if self.failure is not None:
                raise self.failure
        return entry

    async def drain(self) -> None:
        """Return at once."""

    def stats(self) -> QueueStats:
        """Nobody asks."""
        raise NotImplementedError


class Feed:
    """A desk whose stream is followed."""

    def __init__(self, queue: WriteQueue | None = None, writer: BatchWriter | None = None) -> None:
        self.desk = Desk("betpawa")
        self.hub = StreamHub(self.desk.book, self.desk.clock)
        self.context = msgspec.structs.replace(self.desk.context, stream=self.hub)
        self.coordinator = EventCoordinator(self.context, OPTIONS, queue, writer)
        self._following = self.hub.followed()
        self._following.__enter__()
        self._read = 0

    def offer(self, home: int) -> None:
        """Set the price that is offered."""
        self.desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(home))

    async def cycle(self) -> None:
        """Scrape everything, a minute later."""
        self.desk.clock.advance(60)
        await self.coordinator.run_full_cycle()

    def told(self) -> list[Item]:
        """Return what was told since the last call."""
        pieces = self.hub.log.after(self._read, 1000)
        self._read = self.hub.log.number
        return [item for piece in pieces or () for item in piece.items]


async def test_each_batch_is_told_once_the_journal_has_it() -> None:
    """Event, prices, confirmation: under the places of their batches, and not while the journal is at work."""
    queue = HeldQueue()
    feed = Feed(queue)
    feed.offer(2100)
    await feed.cycle()
    assert [type(item) for item in feed.told()] == [Told, Moved]
    assert (feed.hub.log.head.generation, feed.hub.log.head.seq) == (GENERATION.hex, 2)
    await feed.cycle()
    assert [type(item) for item in feed.told()] == [Confirmed]
    feed.offer(2200)
    queue.open.clear()
    queue.entered.clear()
    cycling = asyncio.create_task(feed.cycle())
    await queue.entered.wait()
    assert feed.told() == []
    queue.open.set()
    await cycling
    assert [type(item) for item in feed.told()] == [Moved]


async def test_what_the_journal_refuses_is_told_when_it_comes_again() -> None:
    """A refused batch is not told; the next one that is taken brings its prices."""
    queue = HeldQueue()
    feed = Feed(queue)
    feed.offer(2100)
    await feed.cycle()
    feed.told()
    feed.offer(2200)
    queue.failure = JournalWriteError("segment", OSError("the disk refuses"))
    await feed.cycle()
    assert feed.told() == []
    queue.failure = None
    await feed.cycle()
    (moved,) = feed.told()
    assert isinstance(moved, Moved)
    assert [cell.prices.prices[0] for cell in moved.all_cells()] == [2200]


async def test_without_a_queue_what_is_committed_is_told() -> None:
    """The inline writer's places order the stream as the journal's do."""
    writer = InlineWriter(MemoryWriteHandler())
    feed = Feed(writer=writer)
    feed.offer(2100)
    await feed.cycle()
    assert [type(item) for item in feed.told()] == [Told, Moved]
    assert feed.hub.log.head.generation == writer.generation.hex


async def test_an_event_that_has_started_is_gone_at_the_end_of_the_run() -> None:
    """Eviction is told behind the newest batch."""
    feed = Feed(HeldQueue())
    feed.offer(2100)
    with feed.context.progress.listening(feed.hub.hear):
        await feed.cycle()
        feed.told()
        feed.desk.clock.advance(9 * 3600)
        await feed.cycle()  # the first to see that the kick-off has passed: one reading of the clock evicts nothing
        feed.desk.clock.advance(3 * 3600)
        await feed.cycle()
    assert [type(item) for item in feed.told()][-1] is Gone
    assert feed.hub.states(1) == {}


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_cycle_that_is_cancelled_while_the_journal_works_loses_nothing(*, cancelled: bool) -> None:
    """Whether the batch got in or not, its prices are told with the next one at the latest."""
    queue = HeldQueue()
    feed = Feed(queue)
    feed.offer(2100)
    queue.open.clear()
    cycling = asyncio.create_task(feed.cycle())
    await queue.entered.wait()
    if cancelled:
        cycling.cancel()
    queue.open.set()
    await asyncio.gather(cycling, return_exceptions=True)
    await feed.cycle()
    assert feed.hub.states(1)["betpawa"].markets == feed.desk.cache.event(1)["betpawa"].markets
