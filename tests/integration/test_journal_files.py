"""What somebody else does to the journal's files on a real disk, and what a want of descriptors does."""

import asyncio
import errno
import json
import os
import resource
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from overround.cli.main import app
from overround.clock import SystemClock
from overround.errors import DamagedFilesError, JournalUnreadableError, JournalWriteError
from overround.storage.journal.damaged_files import MOST_BYTES, MOST_FILES, DamagedFiles, clear
from overround.storage.journal.disk import DAMAGED, LocalDisk, refuse_unreadable
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.journal.segments import NewEntry, SegmentLog
from overround.testing import DiskCall, DiskFault, FakeDisk
from tests.property.test_journal_damage import bodies, commit, opened

ALL = [b"one", b"two", b"three"]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[SegmentedJournal]:
    """Yield an open journal of a directory."""
    journal = SegmentedJournal(LocalDisk(folder), SystemClock(), max_bytes=10_000_000)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


def killed_and_read(folder: Path) -> Sequence[bytes]:
    """Return what a process would find that takes over after a death: a look at a copy of the files."""
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    log = opened(LocalDisk(copy))
    found = bodies(log)
    log.close()
    return found


def journal_files(folder: Path) -> Sequence[Path]:
    """Return the segments in a directory, in order."""
    return sorted(folder.glob("*.journal"))


def unlink(folder: Path) -> None:
    """Remove all files, the lock and the spare file too."""
    for path in folder.iterdir():
        path.unlink()


def replace(folder: Path) -> None:
    """Put another file under each segment's name."""
    for path in journal_files(folder):
        other = path.with_suffix(".other")
        other.write_bytes(b"somebody else's")
        other.rename(path)


def move_away(folder: Path) -> None:
    """Move the whole directory away."""
    folder.rename(folder.with_name("elsewhere"))


def close_to_reading(folder: Path) -> None:
    """Take all rights to the files away, which counts for nobody who has them open."""
    for path in folder.iterdir():
        path.chmod(0)


@pytest.mark.parametrize("done", [unlink, replace, shutil.rmtree, move_away, close_to_reading])
async def test_what_is_done_to_the_files_costs_nothing(done: Callable[[Path], None], tmp_path: Path) -> None:
    """The next acknowledgement is given when a process that takes over would find all entries."""
    folder = tmp_path / "journal"
    async with running(folder) as journal:
        for body in ALL[:2]:
            await journal.append(body)
        done(folder)
        await journal.append(ALL[2])
        if done is not close_to_reading or os.geteuid() == 0:
            assert killed_and_read(folder) == ALL
        assert [entry.body for entry in await journal.read(0, 10)] == ALL
        assert journal.stats().restored_files == (0 if done is close_to_reading else 1)
        assert (journal.stats().restored_at is None) is (done is close_to_reading)


async def test_the_directory_may_be_a_link(tmp_path: Path) -> None:
    """A journal that lies on another disk is where its link leads, and nothing is taken for removed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "journal").symlink_to(tmp_path / "elsewhere")
    async with running(tmp_path / "journal") as journal:
        for body in ALL:
            await journal.append(body)
        assert journal.stats().restored_files == 0
        assert len(journal_files(tmp_path / "elsewhere")) == 1


async def test_a_cut_file_costs_what_was_cut_and_no_more(tmp_path: Path) -> None:
    """What somebody cut off is lost, by seq; what is left and what comes later is there."""
    folder = tmp_path / "journal"
    async with running(folder) as journal:
        sizes = [(await journal.append(body), journal_files(folder)[0].stat().st_size)[1] for body in ALL[:2]]
        os.truncate(journal_files(folder)[0], sizes[0])
        with capture_logs() as logs:
            await journal.append(ALL[2])
            assert [entry.body for entry in await journal.read(0, 10)] == [ALL[0], ALL[2]]
        assert [one["first_seq"] for one in logs if one["event"] == "journal_damage"] == [2]
        assert killed_and_read(folder) == [ALL[0], ALL[2]]


async def test_a_lost_file_is_brought_back_while_nothing_is_appended(tmp_path: Path) -> None:
    """The journal looks after its files by itself, and before it is closed."""
    log = opened(LocalDisk(tmp_path / "journal"))
    commit(log, *ALL)
    unlink(tmp_path / "journal")
    log.tend()
    assert killed_and_read(tmp_path / "journal") == ALL
    unlink(tmp_path / "journal")
    log.close()
    assert killed_and_read(tmp_path / "journal") == ALL


def test_what_cannot_be_brought_back_is_tried_again() -> None:
    """While the disk takes no copy, the append is refused; nothing is forgotten meanwhile."""
    disk = FakeDisk()
    log = opened(disk)
    commit(log, *ALL)
    disk.unlink(disk.names()[0])
    disk.capacity = 0
    with pytest.raises(JournalWriteError):
        log.commit([NewEntry(b"four", 0)])
    with pytest.raises(JournalWriteError):
        log.tend()
    disk.capacity = None
    commit(log, b"five")
    disk.kill()
    assert bodies(opened(disk)) == [*ALL, b"five"]


def test_a_directory_that_another_process_took_over_is_not_written_to(tmp_path: Path) -> None:
    """With its lock removed and taken by somebody else, the journal refuses instead of sharing the directory."""
    log = opened(LocalDisk(tmp_path))
    commit(log, b"one")
    (tmp_path / "owner.lock").unlink()
    other = LocalDisk(tmp_path)
    other.open()
    with pytest.raises(JournalWriteError, match="in use by process"):
        commit(log, b"two")
    other.close()
    commit(log, b"three")
    assert bodies(log) == [b"one", b"three"]
    log.close()


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open nothing more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


def test_a_want_of_descriptors_keeps_nothing_from_being_read_or_written(tmp_path: Path) -> None:
    """With no descriptor to be had, entries are read, written and synced, and a new segment begins."""
    log = SegmentLog(LocalDisk(tmp_path), 400, uuid.uuid4())
    log.open()
    commit(log, *ALL)
    with no_descriptor_left(), capture_logs() as logs:
        commit(log, os.urandom(150))
        commit(log, b"more")
        found = bodies(log)
    assert len(journal_files(tmp_path)) == 2
    assert (len(found), [one["event"] for one in logs]) == (5, [])
    log.close()


def unreadable_file(folder: Path) -> Path:
    """Put something under a segment's name that can be listed and not opened, whoever tries."""
    path = folder / "00000000000000000001-00000001.journal"
    path.symlink_to(path)
    return path


def names_in(folder: Path) -> set[str]:
    """Return the names of all that is in a directory."""
    return {path.name for path in folder.iterdir()}


async def test_a_journal_that_cannot_be_read_refuses_the_start(tmp_path: Path) -> None:
    """The refusal names file and reason; nothing is made, changed or locked."""
    path = unreadable_file(tmp_path)
    with pytest.raises(JournalUnreadableError, match=r"00000001\.journal: Too many levels") as refused:
        async with running(tmp_path):
            pass
    assert refused.value.path == str(path)
    assert names_in(tmp_path) == {path.name, "owner.lock"}
    path.unlink()
    async with running(tmp_path) as journal:
        await journal.append(b"one")


@pytest.mark.parametrize("call", [DiskCall.OPEN, DiskCall.STAT, DiskCall.READ])
async def test_an_error_that_passes_does_not_refuse_the_start(call: DiskCall) -> None:
    """A journal that cannot be opened or read at once is tried again."""
    disk = FakeDisk()
    log = opened(disk)
    commit(log, *ALL)
    log.close()
    disk.errors = [DiskFault(call, errno.EMFILE, times=2)]
    journal = SegmentedJournal(disk, SystemClock(), max_bytes=1_000_000)
    await journal.open()
    assert [entry.body for entry in await journal.read(0, 10)] == ALL
    await journal.close()


def test_only_a_missing_right_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The look ahead says nothing about other errors, which the journal tries again."""
    unreadable_file(tmp_path)
    refuse_unreadable(tmp_path)
    refuse_unreadable(tmp_path / "nowhere")


async def test_reads_that_fail_are_tried_again() -> None:
    """A reader waits while the system does not let it read; it is shown meanwhile, and nothing is given up."""
    disk = FakeDisk()
    journal = SegmentedJournal(disk, SystemClock(), max_bytes=1_000_000)
    await journal.open()
    await journal.append(b"one")
    disk.errors = [DiskFault(DiskCall.READ, errno.ENOMEM, times=1_000_000)]
    reader = asyncio.create_task(journal.read(0, 10))
    await asyncio.wait([reader], timeout=0.1)
    assert "Cannot allocate memory" in journal.stats().read_error
    disk.errors.clear()
    assert [entry.body for entry in await reader] == [b"one"]
    assert (journal.stats().read_error, journal.stats().damaged_frames) == ("", 0)
    await journal.close()


def contents(disk: FakeDisk) -> dict[str, bytes]:
    """Return all files, as they are."""
    copy = disk.copy()
    return {name: copy.read(name, 0, 10_000) for name in copy.names()}


def damaged_journal(disk: FakeDisk) -> None:
    """Leave a journal whose first entry is damaged, and whose later ones are whole."""
    log = opened(disk)
    for body in ALL:
        commit(log, body)
    log.close()
    disk.damage(disk.names()[0], 160)


def test_a_damaged_file_is_kept_once_it_is_delivered() -> None:
    """Its sound entries are read; delivered, it is moved among the damaged files as it is, and counted."""
    disk = FakeDisk()
    damaged_journal(disk)
    name = disk.names()[0]
    before = disk.copy().read(name, 0, 10_000)
    log = opened(disk)
    assert bodies(log) == ALL[1:]
    log.release(3)
    assert (disk.put_aside[name], name in disk.names()) == (before, False)
    assert log.state.damaged_files == DamagedFiles(1, len(before))


def test_a_write_that_a_death_cut_short_is_no_damage() -> None:
    """Half a frame at the very end is what a kill leaves: the file goes as any other."""
    disk = FakeDisk()
    log = opened(disk)
    commit(log, *ALL)
    disk.kill()
    name = disk.names()[0]
    disk.truncate(name, disk.size(name) - 3)
    disk.kill()
    again = opened(disk)
    again.release(again.state.last_seq)
    assert disk.put_aside == {}


@pytest.mark.parametrize(
    "kept", [[1] * MOST_FILES, [MOST_BYTES]], ids=["as many files as may be kept", "as many bytes as may be kept"]
)
def test_damage_beyond_what_may_be_kept_refuses_the_start(kept: Sequence[int]) -> None:
    """The refusal names the command that clears; nothing changes before it is given, and then the journal starts."""
    disk = FakeDisk()
    damaged_journal(disk)
    disk.put_aside = {str(place): bytes(size) for place, size in enumerate(kept)}
    before = contents(disk)
    with pytest.raises(DamagedFilesError, match="overround queue clear-damaged"):
        opened(disk)
    assert contents(disk) == before
    disk.put_aside.clear()
    assert bodies(opened(disk)) == ALL[1:]


def test_a_sound_journal_starts_beside_as_many_damaged_files_as_may_be_kept() -> None:
    """Only more than may be kept, or damage that would make it more, is a reason to refuse."""
    disk = FakeDisk()
    disk.put_aside = {str(place): b"" for place in range(MOST_FILES)}
    opened(disk).close()
    disk.put_aside["one more"] = b""
    with pytest.raises(DamagedFilesError):
        opened(disk)


def test_damaged_files_are_cleared(tmp_path: Path) -> None:
    """A file is put away under its name, a second one of the same name beside it; clearing deletes both."""
    disk = LocalDisk(tmp_path)
    disk.open()
    for content in (b"1", b"22"):
        disk.create("a.journal")
        disk.write("a.journal", 0, content)
        disk.put_away("a.journal")
    assert sorted(path.name for path in (tmp_path / DAMAGED).iterdir()) == ["a.journal", "a.journal.1"]
    assert sorted(disk.damaged()) == [1, 2]
    assert len(clear(tmp_path)) == 2
    assert (disk.damaged(), clear(tmp_path)) == ([], [])
    disk.close()


def test_the_command_clears_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which files it deleted, and exits 4 where there are none; no service has to run."""
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path))
    damaged = tmp_path / "journal" / DAMAGED
    damaged.mkdir(parents=True)
    (damaged / "a.journal").write_bytes(b"1")
    told = CliRunner().invoke(app, ["queue", "clear-damaged", "--json"])
    assert (told.exit_code, json.loads(told.stdout)) == (0, {"files": ["a.journal"]})
    assert CliRunner().invoke(app, ["queue", "clear-damaged"]).exit_code == 4
