"""Writing beside the owner of a database: the owner hears of each state, and writes it again.

Apart because only the command that drains a former journal writes beside an owner.
"""

import uuid
from collections.abc import Sequence

from overround.db.engine import driver_connection
from overround.records.writing import StampedBatch, WriteReport
from overround.storage.write_handler import PostgresWriteHandler

_ANNOUNCE = "insert into drained_states (event_id, bookmaker_id) select * from unnest($1::bigint[], $2::smallint[])"


class AnnouncingHandler(PostgresWriteHandler):
    """A write handler that names what it writes to the owner, whose cache has not seen it.

    The owner read the latest states before these came, and would go on confirming the older ones. Each state is named
    before it is written and again after it, because the owner may change in between.
    """

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Commit the batches as the write handler does, and name their states.

        Raises:
            as the write handler.
        """
        await self._announce(batches)
        report = await super().write(generation, batches, confirmed)
        await self._announce(batches)
        return report

    async def _announce(self, batches: Sequence[StampedBatch]) -> None:
        states = {
            (snapshot.sr_id, self._numbers.of(snapshot.bookmaker))
            for stamped in batches
            for snapshot in stamped.batch.snapshots
        }
        events, numbers = [event for event, _ in states], [number for _, number in states]
        async with driver_connection(self._engine) as connection:
            await connection.execute(_ANNOUNCE, events, numbers)
