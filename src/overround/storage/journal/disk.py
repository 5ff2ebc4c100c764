"""The local disk behind the journal."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain, count, pairwise
from pathlib import Path

import msgspec

from overround.errors import JournalLockedError, JournalUnreadableError
from overround.ports import DiskStorage

DAMAGED = "damaged"  # the folder of the files that are kept for people to look at
_LOCK = "owner.lock"
_SPARE = "spare"
_NOTE = "released"
_NOT_OURS = frozenset({_LOCK, _SPARE, DAMAGED, _NOTE, f"{_NOTE}.part"})
_CHUNK = 1 << 20  # bytes read at once
_SECTOR = 4096  # what is given up where the disk cannot read
TRIES = 3  # to read a sector, before it is given up
_PAUSE = 0.2  # seconds between these tries: a drive that resets itself answers again by then
_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class _Held(msgspec.Struct):
    """An open file: its descriptor, its inode, and how many bytes it has as far as we know."""

    descriptor: int
    device: int
    inode: int
    size: int

    @classmethod
    def of(cls, descriptor: int) -> "_Held":
        """Take over a descriptor; it is closed where the system does not say what it leads to."""
        try:
            facts = os.fstat(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor, facts.st_dev, facts.st_ino, facts.st_size)

    def is_at(self, path: Path | str, least: int = 0) -> bool:
        """Tell whether a path leads to this file, and whether that has at least so many bytes.

        Raises:
            OSError: nobody can tell, since a folder on the way may not be searched.
        """
        try:
            facts = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (facts.st_dev, facts.st_ino) == (self.device, self.inode) and facts.st_size >= least


class LocalDisk:
    """A directory of the local file system; implements the `DiskStorage` port.

    The owner is whoever holds the lock on a file of the directory: a dead process holds none. A file
    stays open from its first use until it is removed: no shortage of descriptors, no changed mode and
    no unlinked name keeps it from being read. A spare file is open too, so that the next segment can
    be made without a new descriptor.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._within = f"{folder}/"  # text is quicker to join than paths, and each commit looks at each file
        self._lock: _Held | None = None
        self._directory: _Held | None = None
        self._spare: _Held | None = None
        self._files: dict[str, _Held] = {}

    def open(self) -> None:
        """Take ownership of the directory, which is made where there is none.

        Raises:
            JournalLockedError: another process has it.
        """
        _make_folder(self._folder)
        lock = _Held.of(_locked(self._folder))
        try:
            directory = _Held.of(os.open(self._folder, os.O_RDONLY))
        except OSError:
            os.close(lock.descriptor)
            raise
        _close(self._lock, self._directory)
        self._lock, self._directory = lock, directory

    def close(self) -> None:
        """Give up ownership."""
        self._drop_spare()
        _close(*self._files.values(), self._directory, self._lock)
        self._files.clear()
        self._directory = self._lock = None

    def names(self) -> Sequence[str]:
        """Return the names of the files."""
        with os.scandir(self._folder) as entries:
            return [entry.name for entry in entries if entry.name not in _NOT_OURS]

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        return os.fstat(self._held(name).descriptor).st_size

    def create(self, name: str) -> None:
        """Make an empty file; its name survives a power cut when this returns."""
        directory = self._owned()
        path = self._folder / name
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self._keep_spare()
        if self._spare is None:
            self._files[name] = _Held.of(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        else:
            (self._folder / _SPARE).rename(path)
            self._files[name], self._spare = self._spare, None
        os.fsync(directory.descriptor)
        self._keep_spare()

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at an offset; on failure a part may have been written."""
        held, rest = self._held(name), memoryview(data)
        while rest:
            written = os.pwrite(held.descriptor, rest, offset)
            offset, rest = offset + written, rest[written:]
            held.size = max(held.size, offset)

    def sync(self, name: str) -> None:
        """Make what was written to the file survive a power cut."""
        _sync_data(self._held(name).descriptor)
        if self._spare is None:  # there was no descriptor for it; perhaps there is one now
            self._keep_spare()

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        held = self._held(name)
        os.ftruncate(held.descriptor, size)
        held.size = size

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset; fewer at the end of the file."""
        descriptor = self._held(name).descriptor
        data = os.pread(descriptor, size, offset)
        while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
            data += more
        return data

    def remove(self, name: str) -> None:
        """Delete a file; after a power cut it may be back. A name that leads to another file stays."""
        held, path = self._files.get(name), self._folder / name
        if held is None or held.is_at(path):
            path.unlink(missing_ok=True)
        self._forget(name)

    def note(self, data: bytes) -> None:
        """Replace a small text that is kept beside the files; after a power cut an older one may be back."""
        made = self._folder / f"{_NOTE}.part"
        made.write_bytes(data)
        made.replace(self._folder / _NOTE)

    def noted(self) -> bytes:
        """Return that text; empty without one."""
        try:
            return (self._folder / _NOTE).read_bytes()
        except FileNotFoundError:
            return b""

    def estranged(self) -> Sequence[str]:
        """Return the files to which their names no longer lead, or which somebody cut."""
        self._owned()
        return [name for name, held in self._files.items() if not held.is_at(self._within + name, held.size)]

    def put_away(self, name: str) -> None:
        """Move what stands under a name among the damaged files, and forget the file of that name."""
        path = self._folder / name
        if os.path.lexists(path):
            damaged = self._folder / DAMAGED
            damaged.mkdir(mode=0o700, exist_ok=True)
            path.rename(_unused(damaged / name))
        self._forget(name)

    def damaged(self) -> Sequence[int]:
        """Return the sizes of the damaged files that were put away, in bytes."""
        return [file.stat().st_size for file in damaged_files(self._folder)]

    def pause(self) -> None:
        """Wait before a read that failed is tried again."""
        threading.Event().wait(_PAUSE)

    def _owned(self) -> _Held:
        """Return the directory; take ownership of the present one where somebody replaced it, or its lock."""
        for _ in range(2):
            lock, directory = self._lock, self._directory
            if lock and directory and lock.is_at(self._within + _LOCK) and directory.is_at(self._within + "."):
                return directory
            try:
                self.open()
            except JournalLockedError as error:
                raise OSError(errno.EBUSY, str(error), str(self._folder)) from error
        raise OSError(errno.ESTALE, "somebody keeps on removing the journal's directory", str(self._folder))

    def _held(self, name: str) -> _Held:
        held = self._files.get(name)
        if held is None:
            # Not to block: under this name there may be anything, a pipe too.
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK)
            held = self._files[name] = _Held.of(descriptor)
        return held

    def _forget(self, name: str) -> None:
        _close(self._files.pop(name, None))

    def _keep_spare(self) -> None:
        """Have an empty file open for the next segment, if there is a descriptor for it."""
        path = self._folder / _SPARE
        if self._spare is not None and self._spare.is_at(path):
            return
        self._drop_spare()
        with suppress(OSError):
            path.unlink(missing_ok=True)  # left by a process that was killed
            self._spare = _Held.of(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(OSError):
                if spare.is_at(self._folder / _SPARE):
                    (self._folder / _SPARE).unlink()
            _close(spare)


def refuse_unreadable(folder: Path) -> None:
    """Look whether we may read the journal of a directory, before anything is started that it would need.

    Raises:
        JournalUnreadableError: a file is not ours to read.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                mode = os.O_RDWR if entry.name == _LOCK else os.O_RDONLY
                os.close(os.open(entry.path, mode | os.O_NONBLOCK))
    except PermissionError as error:
        raise JournalUnreadableError(str(error.filename), error) from error
    except OSError:
        return  # `open` tries again, and says what is wrong


def damaged_files(folder: Path) -> Sequence[Path]:
    """Return the damaged files that the journal of a directory put away."""
    damaged = folder / DAMAGED
    return sorted(damaged.iterdir()) if damaged.is_dir() else []


def _locked(folder: Path) -> int:
    """Return the descriptor of a directory's lock, which is ours from now on."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = os.pread(lock, 20, 0)
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise JournalLockedError(str(folder), int(pid) if pid.isdigit() else None) from error
        raise
    with suppress(OSError):  # the number helps people only, and the disk may be full
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _close(*files: _Held | None) -> None:
    for held in files:
        if held is not None:
            os.close(held.descriptor)


def _unused(path: Path) -> Path:
    """Return a path at which there is nothing yet, with a number behind the name where need be."""
    numbered = (path.with_name(f"{path.name}.{number}") for number in count(1))
    return next(one for one in chain([path], numbered) if not os.path.lexists(one))


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

    A sector that three reads in a row fail with EIO counts as zeros: its bytes are lost, and no reason
    to stop. Any other error says nothing about the bytes; it is raised, and names the file.
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
        data = self._read(offset, size)
        return self._load_sectors(offset, size) if data is None else data

    def _load_sectors(self, offset: int, size: int) -> bytes:
        edges = range(offset - offset % _SECTOR + _SECTOR, offset + size, _SECTOR)
        spans = list(pairwise([offset, *edges, offset + size]))
        sectors: dict[int, bytes | None] = dict.fromkeys(start for start, _ in spans)
        for attempt in range(TRIES):
            if attempt and None in sectors.values():
                self._disk.pause()
            for start, end in spans:
                if sectors[start] is None:
                    sectors[start] = self._read(start, end - start)
        return b"".join(sectors[start] or bytes(end - start) for start, end in spans)

    def _read(self, offset: int, size: int) -> bytes | None:
        """Return bytes of the file, None where the disk says EIO.

        Raises:
            OSError: any other error.
        """
        try:
            return self._disk.read(self._name, offset, size)
        except OSError as error:
            error.filename = error.filename or self._name
            if error.errno != errno.EIO:
                raise
            return None
