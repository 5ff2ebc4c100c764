"""What the database forgot and no journal has any more: listed, and acknowledged by people.

Apart because the writer records gaps in its own statements, and people look at them from the command line.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection

_GAPS = """
select g.journal, w.epoch, g.first_seq, g.last_seq, g.until_at, g.found_at, g.acknowledged_at
from history_gaps as g
left join journal_watermarks as w using (journal)
order by g.found_at, g.journal, g.first_seq
"""

_ACKNOWLEDGE = "update history_gaps set acknowledged_at = $1 where acknowledged_at is null returning 1"


class StoredGap(msgspec.Struct, frozen=True, kw_only=True):
    """Batches `first_seq` to `last_seq` of a journal's generation, the last of which came at `until_at`."""

    journal: uuid.UUID
    epoch: int | None
    first_seq: int
    last_seq: int
    until_at: datetime
    found_at: datetime
    acknowledged_at: datetime | None


class HistoryGapRepository:
    """The recorded gaps; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def gaps(self) -> Sequence[StoredGap]:
        """Return all gaps in the order in which they were found."""
        async with reachable_connection(self._engine) as connection:
            return [StoredGap(**row) for row in await connection.fetch(_GAPS)]

    async def acknowledge(self, at: datetime) -> int:
        """Note that somebody knows of all gaps; return how many nobody had known of."""
        async with reachable_connection(self._engine) as connection:
            return len(await connection.fetch(_ACKNOWLEDGE, at))
