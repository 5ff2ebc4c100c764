"""The write path against a list: queue, durable journal and database in random sequences of all that can happen."""

import asyncio
import random
import uuid
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overround.records.writing import StampedBatch, WriteReport
from overround.storage.attempts import Backoff
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.write_queue import AsyncWriteQueue
from overround.testing import FakeDisk, ManualClock, MemoryWriteHandler
from tests.crash.payload import BatchMaker
from tests.support.forwarding import ForwardingHandler

COUNTS = st.integers(1, 4)
STEPS = st.integers(0, 6)
PATIENCE = 10.0  # seconds


class Gate(ForwardingHandler):
    """A database that answers when it is let: once for each permit, or always."""

    def __init__(self, database: MemoryWriteHandler) -> None:
        self.free = False
        self.answered = asyncio.Event()
        super().__init__(database)
        self._permits: asyncio.Queue[None] = asyncio.Queue()

    def permit(self) -> None:
        """Let one call through."""
        self.answered.clear()
        self._permits.put_nowait(None)

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Write when let."""
        if not self.free:
            await self._permits.get()
        try:
            return await super().write(generation, batches, confirmed)
        finally:
            self.answered.set()


class WritePathMachine(RuleBasedStateMachine):
    """`offered` are the snapshots of each batch in the order of offering; the `acked` ones have to be applied."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.disk = FakeDisk()
        self.database = MemoryWriteHandler()
        self.maker = BatchMaker(1, 0)
        self.offered: list[tuple[uuid.UUID, ...]] = []
        self.acked: set[int] = set()
        self.runner.run(self._start())

    def teardown(self) -> None:
        """Let everything be delivered: what was acknowledged is there once, and of no batch there is a part."""
        self.database.failures_before.clear()
        self.database.failures_after.clear()
        self.runner.run(self._drain())
        stored = [one.snapshot.snapshot_id for one in self.database.history]
        for number, uids in enumerate(self.offered):
            times = {stored.count(uid) for uid in uids}
            assert times == {1} or (times == {0} and number not in self.acked)
        self.runner.run(self._stop())
        self.runner.close()

    @rule(count=COUNTS)
    def enqueue(self, count: int) -> None:
        """Enqueue several batches at once."""
        self.runner.run(self._enqueue(count))

    @rule(count=COUNTS, steps=STEPS)
    def enqueue_and_cancel(self, count: int, steps: int) -> None:
        """Cancel some callers after some steps of the loop."""
        self.runner.run(self._enqueue(count, cancelled_after=steps))

    @rule()
    def one_write(self) -> None:
        """Let the worker try once."""
        self.runner.run(self._one_write())

    @rule()
    def drain(self) -> None:
        """Let the worker write all there is."""
        self.runner.run(self._drain())

    @rule(times=COUNTS)
    def transient_errors(self, times: int) -> None:
        """The next writes fail before anything is stored."""
        self.database.failures_before += [ConnectionResetError("gone")] * times

    @rule()
    def lost_reply(self) -> None:
        """The next write is committed, and its caller is told of a failure."""
        self.database.failures_after.append(ConnectionResetError("reply lost"))

    @rule(seconds=st.integers(-10_000_000, 10_000_000))
    def clock_jumps(self, seconds: int) -> None:
        """The clock is set to another time."""
        self.clock.advance(seconds)

    @rule()
    def stop_and_start(self) -> None:
        """Stop, which drains, and start again."""
        self.runner.run(self._stop())
        self.runner.run(self._start())

    @rule(count=COUNTS, steps=STEPS)
    def kill(self, count: int, steps: int) -> None:
        """The process dies while some enqueue; what it wrote stays."""
        self.runner.run(self._die(count, steps))
        self.disk.kill()
        self.runner.run(self._start())

    @rule(count=COUNTS, steps=STEPS, seed=st.integers(0, 2**32))
    def power_cut(self, count: int, steps: int, seed: int) -> None:
        """The power fails while some enqueue; of what was not synced anything may be left."""
        self.runner.run(self._die(count, steps))
        self.disk.crash(random.Random(seed).randrange)  # noqa: S311 - a drawn schedule
        self.runner.run(self._start())

    @invariant()
    def history_is_in_order(self) -> None:
        """Nothing is stored twice, batches are in their order, and so is each price; the latest is the newest."""
        history = self.database.history
        places = {uid: place for place, uid in enumerate(uid for uids in self.offered for uid in uids)}
        order = [places[one.snapshot.snapshot_id] for one in history]
        assert order == sorted(set(order))
        newest = {(one.snapshot.sr_id, one.snapshot.bookmaker): one for one in history}
        assert self.database.latest == newest
        instants = [one.snapshot.captured_at for one in history]
        assert instants == sorted(instants)

    async def _start(self) -> None:
        self.gate = Gate(self.database)
        self.journal = SegmentedJournal(self.disk, self.clock, max_bytes=10_000_000, segment_bytes=3000)
        self.queue = AsyncWriteQueue(
            session_factory=None,
            journal=self.journal,
            handler=lambda _: self.gate,
            clock=self.clock,
            maxsize=3,
            backoff=Backoff(base=0.1, cap=1.0),
        )
        await self.journal.open()
        await self.queue.start()

    async def _stop(self) -> None:
        self.gate.free = True
        self.gate.permit()
        await self.queue.stop(PATIENCE)
        assert self.journal.stats().pending <= self._untold()
        await self.journal.close()

    def _untold(self) -> int:
        """Count the batches that nobody knows to be in: one whose caller was cancelled may land after a drain."""
        return len(self.offered) - len(self.acked)

    async def _die(self, count: int, steps: int) -> None:
        """End at once: nothing reaches the disk any more, and nobody hears of anything."""
        tasks = self._callers(count)
        for _ in range(steps):
            await asyncio.sleep(0)
        self.disk.fails_from = self.disk.calls
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.queue.stop(0)
        await self.journal.close()
        self.disk.fails_from = None

    async def _enqueue(self, count: int, cancelled_after: int | None = None) -> None:
        tasks = self._callers(count)
        if cancelled_after is not None:
            for _ in range(cancelled_after):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [result for result in results if isinstance(result, Exception)]
        assert not failed

    def _callers(self, count: int) -> Sequence[asyncio.Task[None]]:
        return [asyncio.create_task(self._offer()) for _ in range(count)]

    async def _offer(self) -> None:
        """Make a batch and take its place in the order in one step, as scraping does."""
        batch = self.maker.batch()
        number = len(self.offered)
        self.offered.append(tuple(one.snapshot_id for one in batch.snapshots))
        await self.queue.enqueue(batch)
        self.acked.add(number)

    async def _one_write(self) -> None:
        self.gate.permit()
        ways = [asyncio.ensure_future(way) for way in (self.gate.answered.wait(), self.queue.drain())]
        done, left = await asyncio.wait(ways, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        for way in left:
            way.cancel()
        assert done

    async def _drain(self) -> None:
        self.gate.free = True
        self.gate.permit()
        await asyncio.wait_for(self.queue.drain(), PATIENCE)
        self.gate.free = False
        assert self.journal.stats().pending <= self._untold()


WritePathMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
TestWritePath = WritePathMachine.TestCase
