"""The local disk behind the journal."""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from overround.errors import JournalLockedError
from overround.ports import DiskStorage

_LOCK = "owner.lock"
_CHUNK = 1 << 20  # bytes read at once
_SECTOR = 4096  # what is given up where the disk cannot read
_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class LocalDisk:
    """A directory of the local file system; implements the `DiskStorage` port.

    The owner is whoever holds the lock on a file of the directory: a dead process holds none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = -1
        self._written = ("", -1)  # the file that is written to, and its descriptor

    def open(self) -> None:
        """Take ownership of the directory, which is made where there is none.

        Raises:
            JournalLockedError: another process has it.
        """
        _make_folder(self._folder)
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.pread(lock, 20, 0)
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise JournalLockedError(str(self._folder), int(pid) if pid.isdigit() else None) from error
            raise
        self._lock = lock
        with suppress(OSError):  # the number helps people only, and the disk may be full
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Give up ownership."""
        self._stop_writing()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def names(self) -> Sequence[str]:
        """Return the names of the files."""
        return [entry.name for entry in os.scandir(self._folder) if entry.name != _LOCK]

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        return (self._folder / name).stat().st_size

    def create(self, name: str) -> None:
        """Make an empty file; its name survives a power cut when this returns."""
        os.close(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _sync_folder(self._folder)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at an offset; on failure a part may have been written."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor(name), rest, offset)
            offset, rest = offset + written, rest[written:]

    def sync(self, name: str) -> None:
        """Make what was written to the file survive a power cut."""
        _sync_data(self._descriptor(name))

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        os.truncate(self._folder / name, size)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset; fewer at the end of the file."""
        with (self._folder / name).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)

    def remove(self, name: str) -> None:
        """Delete a file; after a power cut it may be back."""
        if self._written[0] == name:
            self._stop_writing()
        (self._folder / name).unlink(missing_ok=True)

    def _descriptor(self, name: str) -> int:
        # Kept open while a file is written to: a failed write-back is reported to those who had it open then.
        if self._written[0] != name:
            self._stop_writing()
            self._written = (name, os.open(self._folder / name, os.O_WRONLY))
        return self._written[1]

    def _stop_writing(self) -> None:
        name, descriptor = self._written
        self._written = ("", -1)
        if name:
            os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileWindow:
    """A file seen through a buffer, so that passing over it takes constant memory.

    What the disk cannot read counts as zeros, sector by sector: it is damage, and no reason to stop.
    """

    def __init__(self, disk: DiskStorage, name: str, size: int) -> None:
        self._disk = disk
        self._name = name
        self._size = size
        self._start = 0
        self._buffer = b""

    @property
    def size(self) -> int:
        """Return the number of bytes that are looked at."""
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset; fewer at the end."""
        end = min(offset + size, self._size)
        if not self._start <= offset <= end <= self._start + len(self._buffer):
            self._buffer = self._load(offset, min(max(size, _CHUNK), self._size - offset))
            self._start = offset
        return self._buffer[offset - self._start : end - self._start]

    def find(self, wanted: bytes, start: int) -> int:
        """Return the offset of the next occurrence, or the size where there is none."""
        while start < self._size:
            place = self.read(start, _CHUNK).find(wanted)
            if place >= 0:
                return start + place
            start += _CHUNK - len(wanted) + 1
        return self._size

    def _load(self, offset: int, size: int) -> bytes:
        try:
            return self._disk.read(self._name, offset, size)
        except OSError:
            edges = range(offset - offset % _SECTOR + _SECTOR, offset + size, _SECTOR)
            return b"".join(
                self._load_sector(start, end - start)
                for start, end in zip([offset, *edges], [*edges, offset + size], strict=True)
            )

    def _load_sector(self, offset: int, size: int) -> bytes:
        try:
            return self._disk.read(self._name, offset, size)
        except OSError:
            return bytes(size)
