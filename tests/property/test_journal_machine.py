"""The durable journal against a list: random sequences of all that can happen to it."""

import asyncio
import errno
import random
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overround.errors import JournalWriteError
from overround.records.writing import JournalEntry
from overround.storage.journal.frames import FILE_HEADER_SIZE
from overround.storage.journal.segmented import SegmentedJournal
from overround.testing import FakeDisk, ManualClock

ROOM = 1_000_000  # never reached: room for everything is the contract suite's subject
SEGMENT = 600  # bytes
COUNTS = st.integers(1, 4)
SIZES = st.integers(0, 200)
SEEDS = st.integers(0, 2**32)


class JournalMachine(RuleBasedStateMachine):
    """`held` is what must be there, by seq; `doubtful` what may be: offered, and neither accepted nor refused for good.

    Bodies begin with the number under which they were offered, so that order can be checked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.disk = FakeDisk()
        self.held: dict[int, bytes] = {}
        self.doubtful: set[bytes] = set()
        self.refused: set[bytes] = set()  # doubtful from the next start on
        self.offered = 0
        self.released = 0
        self.runner.run(self._open())

    def teardown(self) -> None:
        """Close what is open."""
        self.runner.run(self.journal.close())
        self.runner.close()

    @rule(count=COUNTS, size=SIZES)
    def append(self, count: int, size: int) -> None:
        """Append several at once; with a disk that works, all are accepted."""
        assert self.runner.run(self._append(count, size)) == count

    @rule(count=COUNTS, size=SIZES, steps=st.integers(0, 6))
    def append_and_cancel(self, count: int, size: int, steps: int) -> None:
        """Cancel callers after some steps of the loop."""
        self.runner.run(self._append(count, size, cancelled_after=steps))

    @rule(count=COUNTS, call=st.integers(1, 4), number=st.sampled_from([errno.EIO, errno.ENOSPC]))
    def one_call_fails(self, count: int, call: int, number: int) -> None:
        """A single failing write or sync is not noticed by those who append."""
        self.disk.faults = {self.disk.calls + call: number}
        assert self.runner.run(self._append(count, 50)) == count
        self.disk.faults = {}

    @rule(count=COUNTS, size=SIZES, room=st.integers(0, 700))
    def disk_full(self, count: int, size: int, room: int) -> None:
        """On a full disk appends are refused or accepted, and work again when there is room."""
        self.disk.capacity = self.disk.used + room
        self.runner.run(self._append(count, size))
        self.runner.run(self._append(count, size))
        self.disk.capacity = None
        assert self.runner.run(self._append(1, size)) == 1

    @rule(share=st.floats(0, 1))
    def release(self, share: float) -> None:
        """Release the older part."""
        seqs = sorted(self.held)
        seq = seqs[int(share * (len(seqs) - 1))] if seqs else 0
        self.runner.run(self.journal.release(seq))
        self._forget(seq)

    @rule(ahead=st.integers(0, 30))
    def release_all(self, ahead: int) -> None:
        """The database has all there is; a position beyond the newest entry releases nothing that is to come."""
        newest = self.journal.stats().last
        self.runner.run(self.journal.release(newest + ahead))
        self._forget(newest)

    @rule(seconds=st.integers(-10_000_000, 10_000_000))
    def clock_jumps(self, seconds: int) -> None:
        """The clock is set to another time."""
        self.clock.advance(seconds)

    @rule()
    def restart(self) -> None:
        """Stop, and start again."""
        self.runner.run(self.journal.close())
        self._start_again()

    @rule(count=COUNTS, call=st.integers(1, 3))
    def kill(self, count: int, call: int) -> None:
        """The process dies during a call; what it wrote stays."""
        self._die(count, call)
        self.disk.kill()
        self._start_again()

    @rule(count=COUNTS, call=st.integers(1, 3), seed=SEEDS)
    def power_cut(self, count: int, call: int, seed: int) -> None:
        """The power fails during a call; of what was not synced anything may be left."""
        self._die(count, call)
        self.disk.crash(random.Random(seed).randrange)  # noqa: S311 - a drawn schedule
        self._start_again()

    @rule(seed=SEEDS)
    def damage(self, seed: int) -> None:
        """One byte of a frame goes bad while nobody looks: at most one entry is missing, and it is counted."""
        self.runner.run(self.journal.close())
        places = [(name, at) for name in self.disk.names() for at in range(FILE_HEADER_SIZE, self.disk.size(name))]
        if places:
            self.disk.damage(*random.Random(seed).choice(places))  # noqa: S311 - a drawn place
        self._start_again()
        found = {entry.position for entry in self.runner.run(self._read())}
        lost = [seq for seq in self.held if seq not in found]
        assert len(lost) <= 1
        assert self.journal.stats().damaged_frames >= len(lost)
        for seq in lost:
            self.doubtful.add(self.held.pop(seq))  # damaging the same bits again repairs them

    @invariant()
    def all_is_there(self) -> None:
        """What must be there is, in order; what else is there was offered and is doubtful, and from then on stays."""
        entries = self.runner.run(self._read())
        assert [entry.position for entry in entries] == sorted({entry.position for entry in entries})
        numbers = [int.from_bytes(entry.body[:4], "big") for entry in entries]
        assert numbers == sorted(set(numbers))
        found = {entry.position: entry.body for entry in entries}
        assert found.items() >= self.held.items()
        assert {body for seq, body in found.items() if seq not in self.held} <= self.doubtful
        self.held = found
        self.doubtful -= set(found.values())
        assert self.journal.stats().pending == len(found)

    async def _open(self) -> None:
        self.journal = SegmentedJournal(self.disk, self.clock, max_bytes=ROOM, segment_bytes=SEGMENT)
        await self.journal.open()

    def _start_again(self) -> None:
        self._doubt_refused()
        self.runner.run(self._open())
        # A file that was not deleted for good may be back.
        self.runner.run(self.journal.release(self.released))

    def _doubt_refused(self) -> None:
        self.doubtful |= self.refused
        self.refused.clear()

    def _die(self, count: int, call: int) -> None:
        self.disk.dies_at = self.disk.calls + call
        self.runner.run(self._append(count, 60))
        self.runner.run(self.journal.close())
        self.disk.dies_at = None

    def _forget(self, seq: int) -> None:
        self.released = max(self.released, seq)
        self.held = {one: body for one, body in self.held.items() if one > seq}

    async def _append(self, count: int, size: int, cancelled_after: int | None = None) -> int:
        bodies = [self._body(size) for _ in range(count)]
        tasks = [asyncio.create_task(self.journal.append(body)) for body in bodies]
        if cancelled_after is not None:
            for _ in range(cancelled_after):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await self.journal.release(0)  # behind a commit whose callers are all gone
        for body, result in zip(bodies, results, strict=True):
            if isinstance(result, JournalEntry):
                self.held[result.position] = body
            elif isinstance(result, JournalWriteError):
                self.refused.add(body)
            else:
                assert isinstance(result, asyncio.CancelledError)
                self.doubtful.add(body)
        return sum(isinstance(result, JournalEntry) for result in results)

    def _body(self, size: int) -> bytes:
        self.offered += 1
        return self.offered.to_bytes(4, "big") + random.Random(self.offered).randbytes(size)  # noqa: S311 - noise

    async def _read(self) -> Sequence[JournalEntry]:
        entries: list[JournalEntry] = []
        after = self.released
        while more := await self.journal.read(after, 3, wait=False):
            entries += more
            after = entries[-1].position
        return entries


JournalMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
TestJournal = JournalMachine.TestCase
