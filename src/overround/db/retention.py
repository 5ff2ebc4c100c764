"""Keeping the tables that grow in bounds: partitions ahead of time, old ones dropped behind a stored horizon.

The horizon is the instant up to which rows may go. It moves with the time that the service has run, not with what
the clock shows: a clock that is months ahead drops nothing. What the clock alone calls old is listed, and dropped
by a command that a person gives.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection
from overround.db.ownership import Fence, unfenced
from overround.db.partitions import PARTITIONED, Partitioning, prepare_partitions

BATCHES = "write_batches"
_DAY = timedelta(days=1)

_PARTITIONS = """
select child.relname
from pg_inherits as i
join pg_class as child on child.oid = i.inhrelid
where i.inhparent = $1::regclass
order by child.relname
"""
_HORIZON = "select horizon from retention_horizons where table_name = $1 for update"
_MOVE = """
insert into retention_horizons (table_name, horizon) values ($1, $2)
on conflict (table_name) do update set horizon = greatest(retention_horizons.horizon, excluded.horizon)
"""
_OLDEST_BATCH = "select min(applied_at) from write_batches"
_COUNT_BATCHES = "select count(*) from write_batches where applied_at < $1"
_DROP_BATCHES = "delete from write_batches where applied_at < $1"


class RetentionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did; `ahead` counts the partitions that start in the future, by table.

    `waiting` are old by the clock, and lie beyond the horizon: only `overround db retain` drops them.
    """

    dropped: tuple[str, ...]
    ahead: Mapping[str, int]
    waiting: tuple[str, ...] = ()


class Droppable(msgspec.Struct, frozen=True, kw_only=True):
    """A partition or, of a table without any, its old part; `rows` are those that go."""

    name: str
    table: str
    rows: int


def moved(horizon: datetime, wanted: datetime, running: timedelta, length: timedelta) -> datetime:
    """Return the next horizon: `wanted` where that is within reach, else as much further as the service has run.

    `running` is the monotonic time since the horizon moved last, `length` that of a partition: a stop that was no
    longer is within reach. The horizon never goes back.
    """
    if wanted <= horizon:
        return horizon
    if wanted - horizon <= running + length:
        return wanted
    return horizon + running


async def keep_partitions(
    engine: AsyncEngine,
    now: datetime,
    running: timedelta,
    keep: Mapping[str, timedelta],
    ahead: int,
    fence: Fence = unfenced,
) -> RetentionReport:
    """Make partitions for at least `ahead` lengths to come, and drop those that ended before the horizon.

    `keep` names how long each table's rows stay; a table it does not name keeps everything. `running` is the
    monotonic time since the last round.
    """
    longest = max(partitioning.length for partitioning in PARTITIONED.values())
    await prepare_partitions(engine, now, longest * ahead, fence)
    dropped: list[str] = []
    waiting: list[str] = []
    future: dict[str, int] = {}
    async with driver_connection(engine) as connection:
        for table, partitioning in PARTITIONED.items():
            names = await _partitions(connection, table)
            future[table] = sum(_start(name) > now for name in names)
            if table not in keep or not names:
                continue
            async with connection.transaction():
                await fence(connection)
                wanted = now - keep[table]
                edge = await _move(connection, table, _start(names[0]), wanted, running, partitioning.length)
                old = _ended_before(names, partitioning, edge)
                await _drop(connection, old)
            dropped.extend(old)
            waiting.extend(name for name in _ended_before(names, partitioning, wanted) if name not in old)
    return RetentionReport(dropped=tuple(dropped), ahead=future, waiting=tuple(waiting))


async def keep_batches(
    connection: asyncpg.Connection, wanted: datetime, running: timedelta, fence: Fence = unfenced
) -> int:
    """Forget the batches applied before `wanted` and before the horizon; return how many."""
    async with connection.transaction():
        await fence(connection)
        oldest = await connection.fetchval(_OLDEST_BATCH)
        if oldest is None:
            return 0
        edge = await _move(connection, BATCHES, oldest, wanted, running, _DAY)
        return _count(await connection.execute(_DROP_BATCHES, edge))


async def droppable(connection: asyncpg.Connection, until: datetime) -> Sequence[Droppable]:
    """Return what `retain` would drop, with its rows."""
    found = []
    for table, partitioning in PARTITIONED.items():
        for name in _ended_before(await _partitions(connection, table), partitioning, until):
            rows = await connection.fetchval(f"select count(*) from {name}")  # noqa: S608 - one of our partitions
            found.append(Droppable(name=name, table=table, rows=rows))
    if batches := await connection.fetchval(_COUNT_BATCHES, until):
        found.append(Droppable(name=BATCHES, table=BATCHES, rows=batches))
    return found


async def retain(connection: asyncpg.Connection, until: datetime, listed: Sequence[Droppable], fence: Fence) -> None:
    """Drop what was listed as ended before `until`, and move the horizons there: a person has looked at both."""
    async with connection.transaction():
        await fence(connection)
        await _drop(connection, [one.name for one in listed if one.table in PARTITIONED])
        await connection.execute(_DROP_BATCHES, until)
        for table in (*PARTITIONED, BATCHES):
            await connection.execute(_MOVE, table, until)


async def _move(
    connection: asyncpg.Connection,
    table: str,
    oldest: datetime,
    wanted: datetime,
    running: timedelta,
    length: timedelta,
) -> datetime:
    """Move a table's horizon, and return up to where its rows may go now; its horizon begins at its oldest rows."""
    horizon = await connection.fetchval(_HORIZON, table) or oldest
    reached = moved(horizon, wanted, running, length)
    await connection.execute(_MOVE, table, reached)
    return min(reached, wanted)


async def _drop(connection: asyncpg.Connection, names: Sequence[str]) -> None:
    for name in names:
        await connection.execute(f"drop table {name}")


async def _partitions(connection: asyncpg.Connection, table: str) -> Sequence[str]:
    return [row[0] for row in await connection.fetch(_PARTITIONS, table)]


def _ended_before(names: Sequence[str], partitioning: Partitioning, instant: datetime) -> Sequence[str]:
    return [name for name in names if _start(name) + partitioning.length <= instant]


def _start(name: str) -> datetime:
    return datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
