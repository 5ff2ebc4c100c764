"""A database that forgets: what the journal still has is written again, and the rest is told as a gap."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest

from overround.records.batch import SnapshotWriteData
from overround.records.writing import StampedBatch, WriteReport
from overround.storage import write_queue
from overround.storage.attempts import Backoff
from overround.storage.batch_codec import encode_batch
from overround.storage.draining import drain_former
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.journal.segments import Tail
from overround.storage.watermarks import Watermarks
from overround.storage.write_queue import AsyncWriteQueue
from overround.testing import FakeDisk, ManualClock, MemoryWriteHandler
from tests.integration.write_data import MINUTE, NOON, batch, snapshot

SEGMENT = 1500  # bytes: a few batches each
SOON = 5.0  # seconds


class Forgetful(MemoryWriteHandler):
    """A database that can be put back to an earlier state of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = asyncio.Event()

    def copy(self) -> tuple[object, ...]:
        """Return its state."""
        return list(self.history), dict(self.latest), dict(self._marks)

    def put_back(self, copy: tuple[object, ...]) -> None:
        """Become what it was."""
        history, latest, marks = copy
        self.history, self.latest, self._marks = list(history), dict(latest), dict(marks)  # type: ignore[call-overload]

    async def caught_up(self, ids: Sequence[uuid.UUID]) -> None:
        """Wait until exactly these snapshots are stored."""
        while self.ids() != ids:
            self.moved.clear()
            await self.moved.wait()

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Write, and let those who wait look."""
        report = await super().write(generation, batches, confirmed)
        self.moved.set()
        return report

    def ids(self) -> list[uuid.UUID]:
        """Return the stored snapshots in their order."""
        return [one.snapshot.snapshot_id for one in sorted(self.history, key=lambda one: (one.epoch, one.seq))]


class Bench:
    """A journal, the queue behind it, and the database."""

    def __init__(self, tail: Tail = Tail()) -> None:  # noqa: B008 - frozen
        self.disk, self.clock, self.database = FakeDisk(), ManualClock(), Forgetful()
        self.tail = tail
        self.offered: list[SnapshotWriteData] = []
        self.lost = 0

    async def start(self) -> None:
        """Open the journal as it is, and begin to write."""
        self.journal = SegmentedJournal(self.disk, self.clock, max_bytes=1 << 20, segment_bytes=SEGMENT, tail=self.tail)
        await self.journal.open()
        self.watermarks = Watermarks(self.journal, self.database, self.clock, self._lose)
        self.queue = AsyncWriteQueue(
            session_factory=None,
            journal=self.journal,
            handler=lambda _: self.database,
            clock=self.clock,
            backoff=Backoff(base=0.01, cap=0.01),
        )
        await self.queue.start(self.watermarks)

    async def stop(self) -> None:
        """Write what there is, and close the journal."""
        await self.queue.stop(SOON)
        await self.journal.close()

    async def write(self, count: int) -> None:
        """Write batches of one snapshot each, one transaction after the other."""
        for _ in range(count):
            one = snapshot(NOON + len(self.offered) * MINUTE)
            self.offered.append(one)
            await self.queue.enqueue(batch(one))
            await asyncio.wait_for(self.queue.drain(), SOON)

    def ids(self) -> list[uuid.UUID]:
        """Return what was offered, in its order."""
        return [one.snapshot_id for one in self.offered]

    def _lose(self) -> None:
        self.lost += 1


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Yield a bench that runs."""
    bench = Bench()
    await bench.start()
    yield bench
    await bench.stop()


async def test_a_write_notices_that_the_database_forgot(bench: Bench) -> None:
    """The next write finds less than was confirmed: all of it is written again, once, before the new batch."""
    await bench.write(3)
    copy = bench.database.copy()
    await bench.write(20)
    bench.database.put_back(copy)
    await bench.write(1)
    assert bench.database.ids() == bench.ids()
    assert (bench.queue.stats().went_back_at, bench.queue.stats().open_gaps) == (bench.clock.now(), 0)
    assert bench.lost == 0


async def test_it_is_noticed_while_nothing_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every few seconds finds out, and the worker that waited for new batches goes back."""
    await bench.write(2)
    copy = bench.database.copy()
    await bench.write(5)
    await bench.queue.stop(SOON)
    monkeypatch.setattr(write_queue, "LOOK_EVERY", 0.01)
    await bench.queue.start(bench.watermarks)
    await bench.write(1)
    bench.database.put_back(copy)
    async with asyncio.timeout(SOON):
        await bench.database.caught_up(bench.ids())


async def test_generations_that_are_forgotten_keep_their_order(bench: Bench) -> None:
    """The database falls back behind several restarts: the generations are registered again in their order."""
    await bench.write(2)
    copy = bench.database.copy()
    for _ in range(3):
        await bench.write(3)
        await bench.stop()
        await bench.start()
    await bench.write(2)
    bench.database.put_back(copy)
    await bench.write(1)
    assert bench.database.ids() == bench.ids()
    assert bench.database.gaps == []


async def test_a_restart_finds_it(bench: Bench) -> None:
    """The database was put back while no service ran: the next start writes what the journal has."""
    await bench.write(2)
    copy = bench.database.copy()
    await bench.write(6)
    await bench.stop()
    bench.database.put_back(copy)
    await bench.start()
    await asyncio.wait_for(bench.queue.drain(), SOON)
    await bench.write(1)
    assert bench.database.ids() == bench.ids()


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_the_tail_does_not_cover_is_a_gap(*, restarted: bool) -> None:
    """Its bounds are recorded once; whoever has the states in memory is told to write them."""
    bench = Bench(Tail(bytes=3 * SEGMENT))
    await bench.start()
    await bench.write(2)
    copy, first = bench.database.copy(), bench.journal.generation
    await bench.write(40)
    if restarted:
        await bench.stop()
        bench.database.put_back(copy)
        await bench.start()
    else:
        bench.database.put_back(copy)
    await bench.write(1)
    (gap,) = bench.database.gaps
    assert (gap.generation, gap.first_seq, bench.lost) == (first, 3, 1)
    assert 3 < gap.last_seq < 42
    kept = [one for seq, one in enumerate(bench.ids(), 1) if not gap.first_seq <= seq <= gap.last_seq]
    assert bench.database.ids() == kept
    assert bench.queue.stats().open_gaps == 1
    await bench.stop()


async def test_the_tail_gives_way_to_what_is_needed() -> None:
    """It takes no room from batches that wait, and the disk never has more than the journal may take."""
    bench, room = Bench(), 20_000
    journal = SegmentedJournal(bench.disk, bench.clock, max_bytes=room, segment_bytes=SEGMENT)
    await journal.open()
    for number in range(200):
        entry = await journal.append(encode_batch(batch(snapshot(NOON + number * MINUTE))))
        await journal.release(entry.position)
        assert bench.disk.used <= room + SEGMENT
    stats = journal.stats()
    assert (stats.pending, stats.bytes < 2 * SEGMENT) == (0, True)
    assert bench.disk.used > room // 2
    await journal.close()


async def test_the_tail_ends_with_time() -> None:
    """After so many seconds a delivered file goes with the next one."""
    bench = Bench(Tail(seconds=60))
    await bench.start()
    await bench.write(30)
    held = bench.disk.used
    bench.clock.advance(61)
    await bench.write(1)
    assert bench.disk.used < held / 2
    await bench.stop()


async def test_a_former_journal_is_drained_behind_its_owner(bench: Bench) -> None:
    """What another data directory holds comes into the history, and replaces no state of the owner."""
    former = Bench()
    journal = SegmentedJournal(former.disk, former.clock, max_bytes=1 << 20)
    await journal.open()
    old = snapshot(NOON + 99 * MINUTE)
    await journal.append(encode_batch(batch(old)))
    await journal.close()
    await bench.write(1)
    again = SegmentedJournal(former.disk, former.clock, max_bytes=1 << 20)
    await again.open()
    assert await drain_former(again, bench.database) == 1
    assert await drain_former(again, bench.database) == 0
    await again.close()
    assert bench.database.ids() == [old.snapshot_id, bench.offered[0].snapshot_id]
    assert bench.database.latest[7, "near"].snapshot.snapshot_id == bench.offered[0].snapshot_id
