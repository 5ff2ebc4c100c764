"""Writing without a queue: the caller waits for the commit."""

import asyncio
import uuid

import msgspec

from overround.ports import Clock, WriteHandler
from overround.records.batch import WriteBatch
from overround.records.writing import StampedBatch, WriteReport

_MICROSECONDS = 1_000_000


class InlineWriter:
    """Stamps batches and commits them one by one, in the order of the calls."""

    def __init__(self, handler: WriteHandler, clock: Clock) -> None:
        self._handler = handler
        self._journal_id = uuid.uuid4()
        self._epoch = int(clock.now().timestamp() * _MICROSECONDS)
        self._seq = 0
        self._turn = asyncio.Lock()  # fair: it lets waiters in as they came

    @property
    def epoch(self) -> int:
        """Return the epoch of everything written here."""
        return self._epoch

    async def write(self, batch: WriteBatch) -> WriteReport:
        """Commit a batch; its place in the order is taken before anything is awaited.

        Raises whatever the handler raises; the batch is then written or not, and may be offered again.
        """
        self._seq += 1
        stamped = StampedBatch(epoch=self._epoch, seq=self._seq, batch=batch)
        async with self._turn:
            report = await self._handler.write(self._journal_id, [stamped])
        return msgspec.structs.replace(report, place=(stamped.epoch, stamped.seq))
