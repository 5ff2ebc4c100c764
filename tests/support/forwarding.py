"""A write handler that hands everything on, for benches that interfere with some of it."""

import uuid
from collections.abc import Mapping, Sequence

from overround.ports import WriteHandler
from overround.records.writing import HistoryGap, StampedBatch, Watermark, WriteReport


class ForwardingHandler:
    """Implements the `WriteHandler` port by means of another one."""

    def __init__(self, handler: WriteHandler) -> None:
        self.handler = handler

    async def register(self, generations: Sequence[uuid.UUID], *, late: bool = False) -> Mapping[uuid.UUID, Watermark]:
        """Hand on."""
        return await self.handler.register(generations, late=late)

    async def watermarks(self, generations: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Watermark]:
        """Hand on."""
        return await self.handler.watermarks(generations)

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Hand on."""
        return await self.handler.write(generation, batches, confirmed)

    def forget(self) -> None:
        """Hand on."""
        self.handler.forget()

    async def record_gaps(self, gaps: Sequence[HistoryGap]) -> None:
        """Hand on."""
        await self.handler.record_gaps(gaps)

    async def open_gaps(self) -> int:
        """Hand on."""
        return await self.handler.open_gaps()


async def applied(handler: WriteHandler, generation: uuid.UUID) -> int:
    """Return the seq up to which a handler has a generation; 0 for one that it does not know."""
    mark = (await handler.watermarks([generation])).get(generation)
    return 0 if mark is None else mark.applied
