"""Places in the write path at which a process ends itself with SIGKILL."""

import os
import signal
import uuid
from collections.abc import Callable, Sequence
from enum import StrEnum

from overround.ports import DiskStorage, Journal, WriteHandler
from overround.records.writing import Generation, JournalEntry, JournalStats, StampedBatch, WriteReport
from tests.support.forwarding import ForwardingHandler


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
    def generation(self) -> uuid.UUID:
        """Return the journal's generation."""
        return self._journal.generation

    def generations(self) -> Sequence[Generation]:
        """Return the journal's generations."""
        return self._journal.generations()

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

    async def release(self, position: int) -> None:
        """Release, with a point on either side."""
        self._killer.passing(KillPoint.BEFORE_RELEASE)
        await self._journal.release(position)
        self._killer.passing(KillPoint.AFTER_RELEASE)

    async def rewind(self, position: int) -> None:
        """Take the journal back."""
        await self._journal.rewind(position)

    async def first_after(self, position: int) -> int | None:
        """Ask the journal."""
        return await self._journal.first_after(position)

    async def note(self, text: bytes) -> None:
        """Note beside the journal."""
        await self._journal.note(text)

    async def noted(self) -> bytes:
        """Return the note."""
        return await self._journal.noted()

    async def keep(self, after: int | None) -> None:
        """Keep entries of the journal."""
        await self._journal.keep(after)

    def stats(self) -> JournalStats:
        """Return the journal's figures."""
        return self._journal.stats()


class KillingHandler(ForwardingHandler):
    """A write handler with a point before it begins."""

    def __init__(self, handler: WriteHandler, killer: Killer) -> None:
        super().__init__(handler)
        self._killer = killer

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Write, unless the process dies first."""
        self._killer.passing(KillPoint.BEFORE_TRANSACTION)
        return await super().write(generation, batches, confirmed)


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

    def note(self, data: bytes) -> None:
        """Note beside the files."""
        self._disk.note(data)

    def noted(self) -> bytes:
        """Return the note."""
        return self._disk.noted()

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
