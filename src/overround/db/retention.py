"""Keeping the partitioned tables in bounds: partitions ahead of time, old ones dropped."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection
from overround.db.partitions import PARTITIONED, Partitioning, prepare_partitions

_PARTITIONS = """
select child.relname
from pg_inherits as i
join pg_class as child on child.oid = i.inhrelid
where i.inhparent = $1::regclass
"""


class RetentionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did; `ahead` counts the partitions that start in the future, by table."""

    dropped: tuple[str, ...]
    ahead: Mapping[str, int]


async def keep_partitions(
    engine: AsyncEngine, now: datetime, keep: Mapping[str, timedelta], ahead: int
) -> RetentionReport:
    """Make partitions for at least `ahead` lengths to come, and drop those that ended longer than `keep` ago.

    `keep` names how long each table's rows stay; a table it does not name keeps everything.
    """
    longest = max(partitioning.length for partitioning in PARTITIONED.values())
    await prepare_partitions(engine, now, longest * ahead)
    dropped: list[str] = []
    future: dict[str, int] = {}
    async with driver_connection(engine) as connection:
        for table, partitioning in PARTITIONED.items():
            names = [row[0] for row in await connection.fetch(_PARTITIONS, table)]
            old = _ended_before(names, partitioning, now - keep[table]) if table in keep else ()
            for name in old:
                await connection.execute(f"drop table {name}")
            dropped.extend(old)
            future[table] = sum(_start(name) > now for name in names)
    return RetentionReport(dropped=tuple(dropped), ahead=future)


def _ended_before(names: Sequence[str], partitioning: Partitioning, instant: datetime) -> Sequence[str]:
    return sorted(name for name in names if _start(name) + partitioning.length <= instant)


def _start(name: str) -> datetime:
    return datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)
