"""How much of the database a run wrote, and how long changes took to get there."""

from collections.abc import Mapping

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.pipeline.records import Spread
from overround.db.engine import driver_connection

_SIZES = """
select
    (select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
     from pg_partition_tree('odds_snapshots') where isleaf) as history,
    (select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
     from pg_partition_tree('event_scrape_status') where isleaf) as statuses,
    pg_total_relation_size('latest_odds') as latest,
    (pg_current_wal_insert_lsn() - '0/0')::bigint as log
"""
# Of each (event, bookmaker) the newest change: from the arrival of its body to the transaction that stored it.
_DELAYS = """
with delays as (
    select extract(epoch from w.applied_at - l.captured_at) * 1000 as ms
    from latest_odds l join write_batches w on (w.epoch, w.seq) = (l.epoch, l.seq)
    where w.scrape_run_id > $1
)
select count(*)::integer as count, coalesce(avg(ms), 0)::float as mean,
    coalesce(percentile_disc(0.5) within group (order by ms), 0)::float as p50,
    coalesce(percentile_disc(0.95) within group (order by ms), 0)::float as p95,
    coalesce(percentile_disc(0.99) within group (order by ms), 0)::float as p99, coalesce(max(ms), 0)::float as max
from delays
"""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes: of the history, of the latest state, of the statuses, and of the write-ahead log since the beginning."""

    history: int
    statuses: int
    latest: int
    log: int

    def since(self, earlier: "Volume") -> "Volume":
        """Return by how much it has grown."""
        values: Mapping[str, int] = {
            name: getattr(self, name) - getattr(earlier, name) for name in self.__struct_fields__
        }
        return Volume(**values)


async def volume(engine: AsyncEngine) -> Volume:
    """Return how much is there."""
    async with driver_connection(engine) as connection:
        return Volume(**dict(await connection.fetchrow(_SIZES)))


async def change_to_committed(engine: AsyncEngine, after_run: int) -> Spread:
    """Return how long changes took from the arrival of their body to their transaction, in milliseconds.

    Only the newest change of each (event, bookmaker) is there to be asked, and only those of later runs count.
    """
    async with driver_connection(engine) as connection:
        row = await connection.fetchrow(_DELAYS, after_run)
    return Spread(**{name: round(value, 3) for name, value in dict(row).items()})
