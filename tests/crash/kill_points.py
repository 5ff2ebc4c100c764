"""Places in the write path at which a process ends itself with SIGKILL."""

import os
import signal
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum

from overround.ports import DiskStorage, Journal, WriteHandler
from overround.records.writing import JournalEntry, JournalStats, StampedBatch, WriteReport


class KillPoint(StrEnum):
    """Between which two steps of the write path the process dies."""

    BEFORE_APPEND = "before append"
    BEFORE_ACK = "after append, before the acknowledgement"
    BEFORE_TRANSACTION = "before the transaction"
    BEFORE_RELEASE = "after commit, before release"
    AFTER_RELEASE = "after release"
    IN_WRITE = "with half of a frame written"
    BEFORE_SYNC = "after write, before sync"
    AFTER_SYNC = "after sync"
    BEFORE_UNLINK = "before unlinking a segment"


class Killer:
    """Kills this process when it passes one point for the n-th time."""

    def __init__(self, point: KillPoint | None, passes: int) -> None:
        self._point = point
        self._left = passes

    def passing(self, point: KillPoint, last_act: Callable[[], None] | None = None) -> None:
        """Say that a point is passed; what is done there last is done only by a process that dies there."""
        if point is self._point:
            self._left -= 1
            if self._left <= 0:
                if last_act is not None:
                    last_act()
                os.kill(os.getpid(), signal.SIGKILL)


class KillingJournal:
    """A journal that passes the points around `append` and `release`."""

    def __init__(self, journal: Journal, killer: Killer) -> None:
        self._journal = journal
        self._killer = killer

    @property
    def journal_id(self) -> uuid.UUID:
        """Return the journal's identity."""
        return self._journal.journal_id

    async def open(self) -> None:
        """Open the journal."""
        await self._journal.open()

    async def close(self) -> None:
        """Close the journal."""
        await self._journal.close()

    async def append(self, body: bytes) -> JournalEntry:
        """Append, with a point on either side."""
        self._killer.passing(KillPoint.BEFORE_APPEND)
        entry = await self._journal.append(body)
        self._killer.passing(KillPoint.BEFORE_ACK)
        return entry

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Read from the journal."""
        return await self._journal.read(after, limit, wait=wait)

    async def release(self, seq: int) -> None:
        """Release, with a point on either side."""
        self._killer.passing(KillPoint.BEFORE_RELEASE)
        await self._journal.release(seq)
        self._killer.passing(KillPoint.AFTER_RELEASE)

    async def advance(self, seq: int) -> None:
        """Advance the journal."""
        await self._journal.advance(seq)

    async def keep(self, after: int | None) -> None:
        """Keep entries of the journal."""
        await self._journal.keep(after)

    def stats(self) -> JournalStats:
        """Return the journal's figures."""
        return self._journal.stats()


class KillingHandler:
    """A write handler with a point before it begins."""

    def __init__(self, handler: WriteHandler, killer: Killer) -> None:
        self._handler = handler
        self._killer = killer

    async def applied(self, journal_id: uuid.UUID) -> int:
        """Ask the handler."""
        return await self._handler.applied(journal_id)

    async def write(self, journal_id: uuid.UUID, batches: Sequence[StampedBatch]) -> WriteReport:
        """Write, unless the process dies first."""
        self._killer.passing(KillPoint.BEFORE_TRANSACTION)
        return await self._handler.write(journal_id, batches)


class KillingDisk:
    """A disk with a point before and after every sync, and before a file is removed."""

    def __init__(self, disk: DiskStorage, killer: Killer) -> None:
        self._disk = disk
        self._killer = killer

    def open(self) -> None:
        """Open the disk."""
        self._disk.open()

    def close(self) -> None:
        """Close the disk."""
        self._disk.close()

    def names(self) -> Sequence[str]:
        """Return the names of the files."""
        return self._disk.names()

    def size(self, name: str) -> int:
        """Return a file's length."""
        return self._disk.size(name)

    def create(self, name: str) -> None:
        """Make an empty file."""
        self._disk.create(name)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write; the process may die when only a part is written."""
        self._killer.passing(KillPoint.IN_WRITE, lambda: self._disk.write(name, offset, data[: len(data) // 2]))
        self._disk.write(name, offset, data)

    def sync(self, name: str) -> None:
        """Sync, with a point on either side."""
        self._killer.passing(KillPoint.BEFORE_SYNC)
        self._disk.sync(name)
        self._killer.passing(KillPoint.AFTER_SYNC)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        self._disk.truncate(name, size)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Read from a file."""
        return self._disk.read(name, offset, size)

    def remove(self, name: str) -> None:
        """Delete a file, unless the process dies first."""
        self._killer.passing(KillPoint.BEFORE_UNLINK)
        self._disk.remove(name)

    def estranged(self) -> Sequence[str]:
        """Return the files to which their names no longer lead."""
        return self._disk.estranged()

    def put_away(self, name: str) -> None:
        """Put a damaged file away."""
        self._disk.put_away(name)

    def damaged(self) -> Sequence[int]:
        """Return the sizes of the files that were put away."""
        return self._disk.damaged()

    def pause(self) -> None:
        """Wait before another read."""
        self._disk.pause()
