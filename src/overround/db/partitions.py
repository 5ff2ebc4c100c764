"""The partitions of the large tables: made ahead of time, dropped by retention."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection
from overround.db.ownership import Fence, unfenced

_ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
# Whatever lies outside is no time at which anything was received.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LOCK = 0x6F76_7270_6172_7469  # "ovrparti": serialises makers of partitions
_DAY = timedelta(days=1)


def has_partition(instant: datetime) -> bool:
    """Return whether there is, or can be, a partition for an instant: aware, and of this or the next century."""
    return instant.tzinfo is not None and _FIRST <= instant < _LAST


class Partitioning(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is cut: partitions of equal length, named after their first day."""

    table: str
    length: timedelta
    storage: str = ""

    def start(self, instant: datetime) -> datetime:
        """Return the start of the partition that holds an instant."""
        return instant - (instant - _ORIGIN) % self.length

    def name(self, start: datetime) -> str:
        """Return the name of the partition that starts then."""
        return f"{self.table}_{start:%Y%m%d}"


# Weeks: a look-up without a time touches one index a partition, 13 of them in the default 90 days.
# A confirmation leaves a dead version of its row: early vacuums let the next snapshots take its place.
SNAPSHOTS = Partitioning(
    table="odds_snapshots",
    length=7 * _DAY,
    storage="with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.2)",
)
STATUSES = Partitioning(table="event_scrape_status", length=_DAY)
PARTITIONED: Mapping[str, Partitioning] = MappingProxyType({each.table: each for each in (SNAPSHOTS, STATUSES)})


async def create_partitions(
    connection: asyncpg.Connection, wanted: Iterable[tuple[Partitioning, datetime]], fence: Fence = unfenced
) -> None:
    """Create those partitions, by table and start, that do not exist; in a transaction of its own, behind a fence.

    A table is made first and attached then: that takes a lock which lets readers and writers go on.
    """
    async with connection.transaction():
        await fence(connection)
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        for partitioning, start in wanted:
            name = partitioning.name(start)
            if await connection.fetchval("select to_regclass($1) is not null", name):
                continue
            table = partitioning.table
            await connection.execute(f"create table {name} (like {table} including defaults) {partitioning.storage}")
            await connection.execute(
                f"alter table {table} attach partition {name} "
                f"for values from ('{start.isoformat()}') to ('{(start + partitioning.length).isoformat()}')"
            )


async def prepare_partitions(engine: AsyncEngine, now: datetime, ahead: timedelta, fence: Fence = unfenced) -> None:
    """Create the partitions for the time from `now` to `ahead` of it."""
    wanted = [
        (partitioning, partitioning.start(now) + index * partitioning.length)
        for partitioning in PARTITIONED.values()
        for index in range((partitioning.start(now + ahead) - partitioning.start(now)) // partitioning.length + 1)
    ]
    async with driver_connection(engine) as connection:
        await create_partitions(connection, wanted, fence)
