"""An error of the disk is not damage: any error of any call at any moment, against a list of what was acknowledged."""

import errno
import uuid
from contextlib import suppress

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from structlog.testing import capture_logs

from overround.errors import DamagedFilesError, JournalWriteError
from overround.storage.journal.disk import TRIES
from overround.storage.journal.frames import FILE_HEADER_SIZE, Frame, scan
from overround.storage.journal.segments import NewEntry, SegmentLog, Tail
from overround.testing import DiskCall, DiskFault, FakeDisk
from tests.unit.test_frames import Held

SEGMENT = 400  # bytes: a few entries each
ERRNOS = tuple(
    getattr(errno, name)
    for name in (
        "EIO",
        "EMFILE",
        "ENFILE",
        "EACCES",
        "EPERM",
        "ENOENT",
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "ENOMEM",
        "ESTALE",
    )
)
CALLS = st.sampled_from(list(DiskCall))
FOREIGN = b"not a journal" * 20
SHARES = st.integers(0, 100)  # percent


class DiskErrorMachine(RuleBasedStateMachine):
    """`held` is what was acknowledged and is not released, by seq; `doubtful` is what may be there.

    Two things may cost an entry: reads of it that go on failing with EIO, and then its seq is told; or
    a death between the loss of its file's name and the next acknowledgement. Such entries are `at_risk`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.capturing = capture_logs()
        self.logs = self.capturing.__enter__()
        self.disk = FakeDisk()
        self.held: dict[int, bytes] = {}
        self.doubtful: set[bytes] = set()
        self.at_risk: set[int] = set()
        self.offered = 0
        self.released = 0
        self.log = SegmentLog(self.disk, SEGMENT, uuid.UUID(int=1), tail=Tail(0))
        self.log.open()

    @rule(call=CALLS, number=st.sampled_from(ERRNOS), times=st.integers(1, 4), skipped=st.integers(0, 4))
    def some_calls_will_fail(self, call: DiskCall, number: int, times: int, skipped: int) -> None:
        """Some calls to come fail in some way; reads that fail with EIO work at the third try at the latest."""
        if (call, number) == (DiskCall.READ, errno.EIO):
            self.disk.errors = [one for one in self.disk.errors if (one.call, one.errno) != (call, number)]
            times = min(times, TRIES - 1)
        self.disk.errors.append(DiskFault(call, number, times, skipped))

    @rule(count=st.integers(1, 3))
    def append(self, count: int) -> None:
        """Append a group: it is acknowledged, or refused as a whole."""
        bodies = [self._body() for _ in range(count)]
        try:
            first = self.log.commit([NewEntry(body, 0) for body in bodies])
        except JournalWriteError:
            self.doubtful |= set(bodies)
        else:
            self.held |= dict(enumerate(bodies, first))
            self.at_risk.clear()

    @rule(limit=st.integers(1, 9))
    def read(self, limit: int) -> None:
        """Read from the start: what comes was acknowledged, or the read says that it failed."""
        with suppress(OSError):
            for entry in self.log.read(0, limit):
                assert self.held[entry.position] == entry.body

    @rule(share=SHARES)
    def release(self, share: int) -> None:
        """Release the older part."""
        seqs = sorted(self.held)
        if seqs:
            self.released = seqs[share * (len(seqs) - 1) // 100]
            self.log.release(self.released)
            self.held = {seq: body for seq, body in self.held.items() if seq > self.released}

    @rule(share=SHARES)
    def somebody_removes_a_file(self, share: int) -> None:
        """A file loses its name, old or new."""
        name = self._some_file(share)
        if name:
            self.at_risk |= self._seqs_in(name)
            self.disk.unlink(name)

    @rule(share=SHARES)
    def somebody_replaces_a_file(self, share: int) -> None:
        """Another file takes a file's name."""
        name = self._some_file(share)
        if name:
            self.at_risk |= self._seqs_in(name)
            self.disk.replace(name, FOREIGN)

    @rule()
    def tend(self) -> None:
        """Look after the files, as happens every other second."""
        with suppress(JournalWriteError):
            self.log.tend()
            self.at_risk.clear()

    @rule(skipped=st.integers(0, 2))
    def sector_goes_bad(self, skipped: int) -> None:
        """Reads of a sector go on failing with EIO: that costs what is in it, by seq, and nothing else."""
        self.disk.errors = [DiskFault(DiskCall.READ, errno.EIO, 1 + TRIES, skipped)]
        self._compare(lasting=True)
        self.disk.errors.clear()

    @rule()
    def all_is_well_and_there(self) -> None:
        """Without errors, everything can be read."""
        self.disk.errors.clear()
        self._compare()

    @rule()
    def stop_and_start(self) -> None:
        """Stop in good order, and start again with errors at any call."""
        self.log.close()
        self._start()

    @rule()
    def kill_and_start(self) -> None:
        """Die, and start again with errors at any call."""
        self.disk.kill()
        self._start()

    def teardown(self) -> None:
        """Everything is there, in this process and in the next one."""
        self.disk.errors.clear()
        self._compare()
        self.log.close()
        self.at_risk.clear()
        self._start()
        self.capturing.__exit__(None, None, None)

    def _start(self) -> None:
        """Open the journal; a start that is refused leaves every file as it was."""
        before = self._contents()
        log = SegmentLog(self.disk, SEGMENT, uuid.UUID(int=1), tail=Tail(0))
        try:
            log.open()
        except OSError:
            assert self._contents() == before
            self.disk.errors.clear()
            self._open(log)
        except DamagedFilesError:
            assert self._contents() == before
            self._open(log)
        self.disk.errors.clear()
        self.log = log
        self.log.release(self.released)  # the database's watermark
        self._compare()
        self.at_risk.clear()

    def _open(self, log: SegmentLog) -> None:
        try:
            log.open()
        except DamagedFilesError:
            self.disk.put_aside.clear()
            log.open()

    def _compare(self, *, lasting: bool = False) -> None:
        """Nothing acknowledged is missing but what was told or was at risk; what else there is was offered."""
        found = {entry.position: entry.body for entry in self.log.read(0, 10_000)}
        missing = self.held.keys() - found.keys()
        event("something was given up", str(bool(missing)))
        assert missing <= (self._told() if lasting else self.at_risk)
        self.doubtful |= {self.held.pop(seq) for seq in missing}
        assert found.items() >= self.held.items()
        assert {found[seq] for seq in found.keys() - self.held.keys()} <= self.doubtful
        self.held = found

    def _told(self) -> set[int]:
        """Return the seqs that reports of damage gave up; at the very end nothing tells how many there were."""
        newest = max(self.held, default=0)
        reports = [one for one in self.logs if one["event"] == "journal_damage" and one["first_seq"]]
        spans = [(one["first_seq"], one["last_seq"] or max(newest, one["first_seq"])) for one in reports]
        return {seq for first, last in spans for seq in range(first, last + 1)}

    def _contents(self) -> dict[str, bytes]:
        disk = self.disk.copy()
        return {name: disk.read(name, 0, 10_000) for name in disk.names()}

    def _some_file(self, share: int) -> str:
        names = sorted(self._contents())
        return names[share * (len(names) - 1) // 100] if names else ""

    def _seqs_in(self, name: str) -> set[int]:
        pieces = scan(Held(self._contents()[name]), FILE_HEADER_SIZE)
        return {piece.seq for piece in pieces if isinstance(piece, Frame)}

    def _body(self) -> bytes:
        self.offered += 1
        return self.offered.to_bytes(4, "big") * 10


DiskErrorMachine.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestDiskErrors = DiskErrorMachine.TestCase
