"""The durable journal on real disks, in real processes."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from overround.clock import SystemClock
from overround.errors import JournalLockedError, JournalWriteError
from overround.ports import DiskStorage
from overround.storage.journal.disk import FileWindow, LocalDisk
from overround.storage.journal.segmented import SegmentedJournal
from overround.testing import FakeDisk, ManualClock

MEGABYTE = 1_000_000
OWNER = """
import asyncio, sys
from pathlib import Path
from overround.clock import SystemClock
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.segmented import SegmentedJournal

async def own(folder):
    journal = SegmentedJournal(LocalDisk(folder), SystemClock(), max_bytes=1_000_000)
    await journal.open()
    number = 0
    while True:
        number += 1
        await journal.append(str(number).encode())
        print(number, file=sys.stderr, flush=True)

asyncio.run(own(Path(sys.argv[1])))
"""


def noise(size: int) -> bytes:
    """Return bytes that no compression makes smaller."""
    return random.Random(size).randbytes(size)  # noqa: S311 - test data is no secret


@asynccontextmanager
async def opened(disk: DiskStorage, max_bytes: int = MEGABYTE) -> AsyncIterator[SegmentedJournal]:
    """Yield an open journal."""
    journal = SegmentedJournal(disk, SystemClock(), max_bytes=max_bytes)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[DiskStorage]:
    """Yield a disk of about 300 kB: a file system in memory where we may mount one, else a fake."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "overround-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:  # noqa: S603 - fixed words
        yield FakeDisk(capacity=300_000)
        return
    try:
        yield LocalDisk(tmp_path / "journal")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)  # noqa: S603, S607 - fixed words, the system's own tool


async def fill(journal: SegmentedJournal, body: bytes) -> None:
    """Append one by one until that fails."""
    while True:
        await journal.append(body)


async def test_a_full_disk_refuses_until_there_is_room(small_disk: DiskStorage) -> None:
    """Full: the append is refused and leaves nothing; delivered segments make room, and appends work again."""
    body = noise(20_000)
    async with opened(small_disk, max_bytes=800_000) as journal:
        with pytest.raises(JournalWriteError, match="No space left") as refused:
            await fill(journal, body)
        accepted = journal.stats().last
        assert refused.value.file.endswith(".journal")
        assert journal.stats().write_error == str(refused.value)
        assert journal.stats().pending == accepted > 0
        entries = await journal.read(0, 1000)
        assert [entry.seq for entry in entries] == list(range(1, accepted + 1))
        await journal.release(accepted)
        entry = await journal.append(body)
        assert (entry.seq, journal.stats().write_error) == (accepted + 1, "")
        assert list(await journal.read(accepted, 10)) == [entry]


async def test_disk_use_is_bounded(tmp_path: Path) -> None:
    """With nobody reading, appenders wait before the files exceed the bound by more than a segment."""
    folder = tmp_path / "journal"
    async with opened(LocalDisk(folder)) as journal:
        tasks = [asyncio.create_task(journal.append(noise(9_000 + number))) for number in range(150)]
        largest, delivered = 0, 0
        while not all(task.done() for task in tasks):
            done, _ = await asyncio.wait(tasks, timeout=0.05)
            largest = max(largest, sum(path.stat().st_size for path in folder.iterdir()))
            if delivered == 0 or len(done) > delivered:
                delivered = len(done)
            await journal.release(delivered)
        assert largest <= MEGABYTE + MEGABYTE // 8
        assert largest > MEGABYTE * 0.9


async def test_two_journals_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    """The second owner is refused, and told who the first is; after close it is let in."""
    async with opened(LocalDisk(tmp_path)):
        with pytest.raises(JournalLockedError, match=f"process {os.getpid()}"):
            async with opened(LocalDisk(tmp_path)):
                pass
    async with opened(LocalDisk(tmp_path)) as journal:
        assert (await journal.append(b"free")).seq == 1


async def test_a_killed_owner_leaves_its_entries_and_no_lock(tmp_path: Path) -> None:
    """A living owner in another process is named; when it is killed, all it had acknowledged is there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    told = [await process.stderr.readline() for _ in range(20)]
    with pytest.raises(JournalLockedError) as refused:
        async with opened(LocalDisk(tmp_path)):
            pass
    assert refused.value.pid == process.pid
    process.send_signal(signal.SIGKILL)
    told += (await process.stderr.read()).split()
    await process.wait()
    async with opened(LocalDisk(tmp_path)) as journal:
        bodies = [int(entry.body) for entry in await journal.read(0, 100_000)]
        assert bodies == list(range(1, len(bodies) + 1))
        assert len(bodies) >= int(told[-1])
        assert (await journal.append(b"next")).position >= len(bodies) + 1


async def test_a_backlog_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    """However many entries are asked for, a read returns about half a megabyte of batches."""
    async with opened(LocalDisk(tmp_path), max_bytes=64 * MEGABYTE) as journal:
        for _ in range(12):
            await journal.append(bytes(MEGABYTE // 8))
        sizes = []
        after = 0
        while entries := await journal.read(after, 1000, wait=False):
            sizes.append(len(entries))
            after = entries[-1].seq
        assert (sum(sizes), max(sizes)) == (12, 5)


class BadSector(FakeDisk):
    """A disk that cannot read one byte."""

    bad = -1

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Read, unless the bad byte is in it."""
        if offset <= self.bad < offset + size:
            raise OSError(5, "cannot read")
        return super().read(name, offset, size)


async def test_what_the_disk_cannot_read_is_damage() -> None:
    """A sector that cannot be read costs the entries in it, and the journal opens all the same."""
    disk = BadSector()
    async with opened(disk) as journal:
        for _ in range(5):
            await journal.append(noise(9_000))
    disk.bad = 23_000
    with capture_logs() as logs:
        async with opened(disk) as journal:
            assert [entry.seq for entry in await journal.read(0, 10)] == [1, 2, 4, 5]
    assert [log["first_seq"] for log in logs if log["event"] == "journal_damage"] == [3]


def test_a_search_crosses_the_edges_of_the_buffer() -> None:
    """What lies across two buffers' contents is found."""
    disk = FakeDisk()
    disk.create("f")
    for place in (1 << 20, (1 << 20) - 2, (2 << 20) - 5):
        disk.truncate("f", 0)
        disk.write("f", 0, bytes(place) + b"word" + bytes(9))
        assert FileWindow(disk, "f", place + 13).find(b"word", 0) == place


@pytest.mark.parametrize("jump", [-1e9, 1e9])
async def test_clock_jumps_change_no_order(jump: float) -> None:
    """Seqs and positions do not depend on the clock; a generation counts anew, its position goes on."""
    disk, clock = FakeDisk(), ManualClock()
    first = SegmentedJournal(disk, clock, max_bytes=MEGABYTE)
    await first.open()
    before = await first.append(b"before")
    clock.advance(jump)
    after = await first.append(b"after")
    await first.close()
    again = SegmentedJournal(disk, clock, max_bytes=MEGABYTE)
    await again.open()
    assert list(await again.read(0, 10)) == [before, after]
    assert (before.generation, before.seq, after.seq) == (first.generation, 1, 2)
    third = await again.append(b"again")
    assert (third.generation, third.seq, third.position) == (again.generation, 1, 3)
    assert [one.id for one in again.generations()] == [first.generation, again.generation]
    await again.close()
