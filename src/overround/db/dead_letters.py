"""What the database could not take, as it keeps it: read, counted, dropped."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection
from overround.records.writing import HeldBookmaker

_COLUMNS = """
id, kind, epoch, seq, scrape_run_id, batch_index, event_id, bookmaker, sqlstate, reason, dead_at, payload_format,
octet_length(payload) as payload_bytes
"""

_PAGE = f"select {_COLUMNS} from dead_letters where id > $1 order by id limit $2"  # noqa: S608 - a constant

_WITH_PAYLOAD = f"select {_COLUMNS}, payload from dead_letters where id = any ($1::bigint[]) order by id"  # noqa: S608

_IDS = "select id from dead_letters where id > $1 order by id limit $2"

_NEWEST = "select coalesce(max(id), 0) from dead_letters"

_KINDS = "select kind, count(*) from dead_letters group by kind order by kind"

_DROP = "delete from dead_letters where id = any ($1::bigint[]) returning id"

_DROP_ALL = "delete from dead_letters returning id"

HELD = """
select bookmaker, count(*) as rows, sum(octet_length(payload))::bigint as bytes,
    sum(snapshots + confirmed)::bigint as snapshots, min(held_at) as since,
    (array_agg(sqlstate order by id desc))[1] as sqlstate, (array_agg(reason order by id desc))[1] as sample
from held_rows
group by bookmaker
order by bookmaker
"""

_WATERMARKS = """
select max(epoch) as epoch, count(*) as journals, (select max(applied_at) from write_batches) as applied_at
from journal_watermarks
"""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that could not be written; (epoch, seq) is its place in the order of writes, the payload apart."""

    id: int
    kind: str
    epoch: int
    seq: int
    scrape_run_id: int | None
    batch_index: int | None
    event_id: int | None
    bookmaker: str
    sqlstate: str
    reason: str
    dead_at: datetime
    payload_format: str
    payload_bytes: int


class FullDeadLetter(DeadLetter, frozen=True, kw_only=True):
    """The same with its payload."""

    payload: bytes


class WrittenFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says about the write queue: greatest epoch, number of journals, newest commit."""

    epoch: int | None
    journals: int
    applied_at: datetime | None


class DeadLetterRepository:
    """The dead letters; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, after: int, limit: int) -> Sequence[DeadLetter]:
        """Return the letters that follow an id, in the order of their ids."""
        async with reachable_connection(self._engine) as connection:
            return [DeadLetter(**row) for row in await connection.fetch(_PAGE, after, limit)]

    async def ids(self, after: int, limit: int) -> Sequence[int]:
        """Return the ids that follow an id, in order."""
        async with reachable_connection(self._engine) as connection:
            return [row["id"] for row in await connection.fetch(_IDS, after, limit)]

    async def newest(self) -> int:
        """Return the greatest id; 0 if there is none."""
        async with reachable_connection(self._engine) as connection:
            return int(await connection.fetchval(_NEWEST))

    async def full(self, ids: Sequence[int]) -> Sequence[FullDeadLetter]:
        """Return those of the letters that are there, with their payloads, in the order of their ids."""
        async with reachable_connection(self._engine) as connection:
            return [FullDeadLetter(**row) for row in await connection.fetch(_WITH_PAYLOAD, list(ids))]

    async def kinds(self) -> Mapping[str, int]:
        """Return how many letters there are, by kind."""
        async with reachable_connection(self._engine) as connection:
            return {row["kind"]: row["count"] for row in await connection.fetch(_KINDS)}

    async def held(self) -> Sequence[HeldBookmaker]:
        """Return the bookmakers whose rows are held back."""
        async with reachable_connection(self._engine) as connection:
            return [HeldBookmaker(**row) for row in await connection.fetch(HELD)]

    async def written(self) -> WrittenFacts:
        """Return what is known about the write queue where no service runs."""
        async with reachable_connection(self._engine) as connection:
            return WrittenFacts(**await connection.fetchrow(_WATERMARKS))

    async def drop(self, ids: Sequence[int] | None) -> Sequence[int]:
        """Delete letters, all of them without ids; return the ids of those that were there."""
        async with reachable_connection(self._engine) as connection:
            found = await (connection.fetch(_DROP_ALL) if ids is None else connection.fetch(_DROP, list(ids)))
        return sorted(row["id"] for row in found)
