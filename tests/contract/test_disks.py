"""What every disk keeps to, the faked one too: a file is held, whatever happens to its name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overround.errors import JournalLockedError
from overround.ports import DiskStorage
from overround.storage.journal.disk import DAMAGED, LocalDisk
from overround.testing import FakeDisk

NAME, OTHER = "one.journal", "two.journal"


class Somebody:
    """What somebody else does to a disk's files."""

    def __init__(self, disk: DiskStorage, folder: Path) -> None:
        self._disk = disk
        self._folder = folder

    def unlink(self, name: str) -> None:
        """Take a file's name away."""
        if isinstance(self._disk, FakeDisk):
            self._disk.unlink(name)
        else:
            (self._folder / name).unlink()

    def replace(self, name: str, content: bytes) -> None:
        """Put another file under a name."""
        if isinstance(self._disk, FakeDisk):
            self._disk.replace(name, content)
        else:
            (self._folder / "other").write_bytes(content)
            (self._folder / "other").rename(self._folder / name)

    def put_away(self) -> list[bytes]:
        """Return the contents of the damaged files."""
        if isinstance(self._disk, FakeDisk):
            return list(self._disk.put_aside.values())
        return [path.read_bytes() for path in (self._folder / DAMAGED).iterdir()]


def faked(_: Path) -> DiskStorage:
    """Return a disk in memory."""
    return FakeDisk()


DISKS: dict[str, Callable[[Path], DiskStorage]] = {"local": LocalDisk, "faked": faked}


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiskStorage]:
    """Yield each kind of disk, owned, with a file of three bytes."""
    made = DISKS[request.param](tmp_path)
    made.open()
    made.create(NAME)
    made.write(NAME, 0, b"abc")
    made.sync(NAME)
    yield made
    made.close()


@pytest.fixture
def somebody(disk: DiskStorage, tmp_path: Path) -> Somebody:
    """Return who else has access to the disk."""
    return Somebody(disk, tmp_path)


def test_a_file_is_read_where_it_was_written(disk: DiskStorage) -> None:
    """Bytes come back from their offsets, fewer at the end; sizes and names are told."""
    disk.write(NAME, 2, b"CDE")
    assert (disk.read(NAME, 1, 3), disk.read(NAME, 3, 99), disk.read(NAME, 99, 1)) == (b"bCD", b"DE", b"")
    disk.truncate(NAME, 4)
    assert (disk.size(NAME), disk.names(), disk.estranged()) == (4, [NAME], [])


def test_a_name_is_given_once(disk: DiskStorage) -> None:
    """A file that is there is not made once more, and keeps its content."""
    with pytest.raises(FileExistsError):
        disk.create(NAME)
    assert disk.read(NAME, 0, 9) == b"abc"


def test_a_directory_has_one_owner(disk: DiskStorage, tmp_path: Path) -> None:
    """A second owner is refused as long as the first one lasts."""
    with pytest.raises(JournalLockedError):
        (disk if isinstance(disk, FakeDisk) else LocalDisk(tmp_path)).open()


def test_a_file_without_its_name_is_still_held(disk: DiskStorage, somebody: Somebody) -> None:
    """It is read and written, and told as estranged; its name may be given again once it is removed."""
    somebody.unlink(NAME)
    disk.write(NAME, 3, b"d")
    assert (disk.read(NAME, 0, 9), disk.estranged(), disk.names()) == (b"abcd", [NAME], [])
    disk.remove(NAME)
    disk.create(NAME)
    assert (disk.size(NAME), disk.estranged()) == (0, [])


def test_somebody_elses_file_is_neither_read_nor_removed(disk: DiskStorage, somebody: Somebody) -> None:
    """Under a held file's name there may be another: the held one is meant, and the other stays."""
    somebody.replace(NAME, b"theirs")
    assert (disk.read(NAME, 0, 9), disk.estranged()) == (b"abc", [NAME])
    disk.remove(NAME)
    assert disk.read(NAME, 0, 9) == b"theirs"


def test_what_stands_under_a_name_is_put_away(disk: DiskStorage, somebody: Somebody) -> None:
    """The damaged files are kept as they are, apart from the others, and their sizes are told."""
    somebody.replace(NAME, b"theirs")
    disk.put_away(NAME)
    disk.create(OTHER)
    disk.write(OTHER, 0, b"ours")
    disk.put_away(OTHER)
    assert sorted(somebody.put_away()) == [b"ours", b"theirs"]
    assert (sorted(disk.damaged()), disk.names(), disk.estranged()) == ([4, 6], [], [])


def test_putting_nothing_away_is_no_error(disk: DiskStorage, somebody: Somebody) -> None:
    """Where nothing stands under the name, the held file is let go."""
    somebody.unlink(NAME)
    disk.put_away(NAME)
    assert (list(disk.damaged()), disk.estranged()) == ([], [])
