"""Places in the write path at which a process ends itself with SIGKILL."""

import os
import signal
import uuid
from collections.abc import Sequence
from enum import StrEnum

from overround.ports import Journal, JournalEntry, JournalStats, WriteHandler
from overround.writing import StampedBatch, WriteReport


class KillPoint(StrEnum):
    """Between which two steps of the write path the process dies."""

    BEFORE_APPEND = "before append"
    BEFORE_ACK = "after append, before the acknowledgement"
    BEFORE_TRANSACTION = "before the transaction"
    BEFORE_RELEASE = "after commit, before release"
    AFTER_RELEASE = "after release"
    BEFORE_SYNC = "after write, before sync"
    AFTER_SYNC = "after sync"
    BEFORE_UNLINK = "before unlinking a segment"


class Killer:
    """Kills this process when it passes one point for the n-th time."""

    def __init__(self, point: KillPoint | None, passes: int) -> None:
        self._point = point
        self._left = passes

    def passing(self, point: KillPoint) -> None:
        """Say that a point is passed."""
        if point is self._point:
            self._left -= 1
            if self._left <= 0:
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
