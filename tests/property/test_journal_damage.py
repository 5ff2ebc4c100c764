"""What a cut, a flipped byte, a failing call or a power cut costs: tried at every place."""

import errno
import random
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from overround.errors import JournalFormatError, JournalWriteError
from overround.ports import DiskStorage
from overround.storage.journal.frames import FILE_HEADER_SIZE, FileHeader, Frame, encode_header, scan
from overround.storage.journal.segments import SEQ_GAP, NewEntry, SegmentLog, Tail
from overround.testing import FakeDisk
from tests.unit.test_frames import Held

SEGMENT = 400  # bytes: a few entries each
GROUPS = (
    (b"one",),
    (b"two", b"three" * 9),
    (b"four" * 30,),
    (b"five",),
    (b"six", b"seven"),
    (b"eight" * 4,),
    (b"nine",),
)
ALL = [body for group in GROUPS for body in group]


def opened(disk: DiskStorage) -> SegmentLog:
    """Return an open log on a disk."""
    log = SegmentLog(disk, SEGMENT, uuid.UUID(int=1), tail=Tail(0))
    log.open()
    return log


def commit(log: SegmentLog, *bodies: bytes) -> int:
    """Commit bodies as one group."""
    return log.commit([NewEntry(body, 0) for body in bodies])


def bodies(log: SegmentLog) -> list[bytes]:
    """Return all that the log holds."""
    return [entry.body for entry in log.read(0, 1000)]


def written() -> FakeDisk:
    """Return a disk with all groups, each committed on its own, and nobody as its owner."""
    disk = FakeDisk()
    log = opened(disk)
    for group in GROUPS:
        commit(log, *group)
    log.close()
    return disk.copy()


def frames_of(disk: FakeDisk, name: str) -> list[Frame]:
    """Return the frames of a file."""
    pieces = scan(Held(disk.read(name, 0, disk.size(name))), FILE_HEADER_SIZE)
    return [piece for piece in pieces if isinstance(piece, Frame)]


def last_file(disk: FakeDisk) -> str:
    """Return the file that was written to last."""
    return max(disk.names())


def test_a_cut_at_any_byte_leaves_an_exact_prefix() -> None:
    """Cut the last segment anywhere: what was whole before the cut is there, and appends go on."""
    disk = written()
    name = last_file(disk)
    before = [frame.seq for file in sorted(disk.names()) if file != name for frame in frames_of(disk, file)]
    frames = frames_of(disk, name)
    for cut in range(disk.size(name)):
        damaged = disk.copy()
        damaged.truncate(name, cut)
        log = opened(damaged)
        whole = len(before) + sum(frame.end <= cut for frame in frames)
        assert bodies(log) == ALL[:whole]
        torn = cut < FILE_HEADER_SIZE or (cut != FILE_HEADER_SIZE and cut not in [frame.end for frame in frames])
        assert commit(log, b"more") == whole + 1 + (SEQ_GAP if torn else 0)
        log.close()
        again = opened(damaged)
        assert bodies(again) == [*ALL[:whole], b"more"]


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_one_bad_byte_costs_at_most_one_batch(mask: int) -> None:
    """Flip every byte in turn: at most one entry is lost, reported with file, offset and seq; appends go on."""
    disk = written()
    for name in disk.names():
        frames = frames_of(disk, name)
        for place in range(disk.size(name)):
            damaged = disk.copy()
            damaged.damage(name, place, mask)
            with capture_logs() as logs:
                log = opened(damaged)
            hit = [frame for frame in frames if frame.offset <= place < frame.end]
            survivors = [body for seq, body in enumerate(ALL, 1) if seq not in [frame.seq for frame in hit]]
            assert bodies(log) == survivors
            assert log.state.damaged_frames == len(hit)
            (report,) = [one for one in logs if one["event"] == "journal_damage"]
            assert report["file"] == name
            assert report["offset"] <= place < report["offset"] + report["bytes"]
            assert report["first_seq"] == (hit[0].seq if hit else None)
            certain = bool(hit) and hit[0].seq < len(ALL)
            assert report["acknowledged"] is certain
            assert commit(log, b"more") > len(ALL) - 1
            assert bodies(log) == [*survivors, b"more"]
            assert {one.id for one in log.state.generations} == {uuid.UUID(int=1)}


def test_damage_after_opening_is_skipped_and_reported() -> None:
    """An entry that goes bad while the journal is open costs itself alone, once."""
    disk = FakeDisk()
    log = opened(disk)
    commit(log, b"one", b"two", b"three")
    second = frames_of(disk, last_file(disk))[1]
    disk.damage(last_file(disk), second.offset + 50)
    with capture_logs() as logs:
        assert bodies(log) == [b"one", b"three"]
        assert bodies(log) == [b"one", b"three"]
    assert [(one["event"], one["first_seq"], one["offset"]) for one in logs] == [("journal_damage", 2, second.offset)]
    assert log.state.pending == 2


def test_a_missing_file_is_reported() -> None:
    """What a vanished segment held is missed, since the next one says what it follows."""
    disk = written()
    middle = sorted(disk.names())[1]
    lost = [frame.seq for frame in frames_of(disk, middle)]
    disk.remove(middle)
    with capture_logs() as logs:
        log = opened(disk)
    (report,) = [one for one in logs if one["event"] == "journal_damage"]
    assert (report["first_seq"], report["last_seq"], report["acknowledged"]) == (lost[0], lost[-1], True)
    assert bodies(log) == [body for seq, body in enumerate(ALL, 1) if seq not in lost]


def test_both_headers_gone_lose_the_generation_and_nothing_else() -> None:
    """With no sound header anywhere the entries are kept, as a generation that nobody knows."""
    disk = FakeDisk()
    log = opened(disk)
    commit(log, b"one")
    disk.kill()
    disk.damage(last_file(disk), 20)
    disk.damage(last_file(disk), 20 + FILE_HEADER_SIZE // 2)
    again = SegmentLog(disk, SEGMENT, uuid.UUID(int=2))
    again.open()
    (entry,) = again.read(0, 10)
    assert (entry.body, entry.seq, entry.position) == (b"one", 1, 1)
    assert entry.generation not in {uuid.UUID(int=1), uuid.UUID(int=2)}


def test_the_generation_survives_any_bad_byte() -> None:
    """With a single file, too, one bad byte of its header does not cost its generation."""
    disk = FakeDisk()
    commit(opened(disk), b"one")
    for place in range(FILE_HEADER_SIZE):
        damaged = disk.copy()
        damaged.damage(last_file(damaged), place)
        again = SegmentLog(damaged, SEGMENT, uuid.UUID(int=2))
        again.open()
        assert [(one.generation, one.seq, one.body) for one in again.read(0, 10)] == [(uuid.UUID(int=1), 1, b"one")]


def test_an_unknown_format_is_refused_untouched() -> None:
    """A file of a later release is named, nothing on disk changes, and the lock is free again."""
    disk = written()
    name = "00000000000000000099-00000099.journal"
    disk.create(name)
    later = FileHeader(version=2, journal_id=uuid.UUID(int=1), base=5, first_seq=99, follows=9)
    disk.write(name, 0, encode_header(later))
    before = {file: disk.read(file, 0, 10_000) for file in disk.names()}
    with pytest.raises(JournalFormatError, match=r"00000099\.journal has format 2"):
        opened(disk)
    assert {file: disk.read(file, 0, 10_000) for file in disk.names()} == before
    disk.open()


class Watched(FakeDisk):
    """A disk on which a file that failed may not be written or synced again."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: set[str] = set()

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write, unless the file has failed."""
        self._watch(name, lambda: super(Watched, self).write(name, offset, data))

    def sync(self, name: str) -> None:
        """Sync, unless the file has failed."""
        self._watch(name, lambda: super(Watched, self).sync(name))

    def _watch(self, name: str, call: Callable[[], None]) -> None:
        assert name not in self.failed
        try:
            call()
        except OSError:
            self.failed.add(name)
            raise


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_any_single_failing_call_costs_nothing(number: int) -> None:
    """Fail the n-th changing call, for every n: all is acknowledged in order, and a power cut takes none of it."""
    for call in range(1, 40):
        disk = Watched()
        disk.faults[call] = number
        log = opened(disk)
        seqs = [commit(log, *group) for group in GROUPS]
        assert seqs == [ALL.index(group[0]) + 1 for group in GROUPS]
        assert bodies(log) == ALL
        disk.failed.clear()
        disk.crash(lambda _: 0)
        assert bodies(opened(disk)) == ALL


def test_a_disk_that_fails_for_a_while_refuses_cleanly() -> None:
    """With old and new file failing, the append says so, uses no seq and shows nothing; the next one works."""
    for call in range(1, 30):
        disk = FakeDisk()
        log = opened(disk)
        commit(log, b"before")
        disk.fails_from = disk.calls + call
        accepted = [b"before", *_commit_all(log)]
        assert bodies(log) == accepted
        disk.fails_from = None
        assert commit(log, b"after") == len(accepted) + 1
        disk.crash(lambda limit: limit - 1)
        assert bodies(opened(disk)) == [*accepted, b"after"]


def _commit_all(log: SegmentLog) -> Sequence[bytes]:
    accepted: list[bytes] = []
    for group in GROUPS:
        with suppress(JournalWriteError):
            commit(log, *group)
            accepted += group
    return accepted


@given(seed=st.integers(0, 2**32), call=st.integers(1, 30))
def test_a_power_cut_takes_nothing_acknowledged(seed: int, call: int) -> None:
    """Cut the power at any call, keep any part of what was not synced: all acknowledged entries are there, in order."""
    disk = FakeDisk()
    log = opened(disk)
    disk.dies_at = disk.calls + call
    accepted = _commit_all(log)
    disk.dies_at = None
    disk.crash(random.Random(seed).randrange)  # noqa: S311 - a drawn schedule
    found = bodies(opened(disk))
    places = [ALL.index(body) for body in found]
    assert places == sorted(set(places))
    assert found[: len(accepted)] == accepted
