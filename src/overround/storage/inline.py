"""Writing without a queue: the caller waits for the commit."""

import asyncio
import uuid

import msgspec

from overround.batch import WriteBatch
from overround.ports import WriteHandler
from overround.writing import StampedBatch, WriteReport


class InlineWriter:
    """Stamps batches and commits them one by one, in the order of the calls."""

    def __init__(self, handler: WriteHandler) -> None:
        self._handler = handler
        self._generation = uuid.uuid4()
        self._seq = 0
        self._turn = asyncio.Lock()  # fair: it lets waiters in as they came

    @property
    def generation(self) -> uuid.UUID:
        """Return the generation of everything written here."""
        return self._generation

    async def write(self, batch: WriteBatch) -> WriteReport:
        """Commit a batch; its place in the order is taken before anything is awaited.

        Raises whatever the handler raises; the batch is then written or not, and may be offered again.
        """
        self._seq += 1
        stamped = StampedBatch(seq=self._seq, batch=batch)
        async with self._turn:
            report = await self._handler.write(self._generation, [stamped])
        return msgspec.structs.replace(report, place=(self._generation, stamped.seq))
