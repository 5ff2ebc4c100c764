"""What the database tells of an event's prices over time; only reads."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection
from overround.records.stored import RunChange, StoredChange

_KICKOFF = "select kickoff from events where id = $1"

_UNPACKED = """
select
    b.slug as bookmaker, s.captured_at as at, s.epoch, s.seq, u.market_id as market, u.specifiers,
    s.prices[u.until - u.n + 1 : u.until] as prices
from odds_snapshots as s
join bookmakers as b on b.id = s.bookmaker_id
cross join lateral (
    select t.market_id, t.specifiers, t.n, sum(t.n) over (order by t.ord) as until
    from unnest(s.market_ids, s.specifiers, s.counts) with ordinality as t (market_id, specifiers, n, ord)
) as u
where s.event_id = $1 and b.slug = any ($2) and s.captured_at <= $3
"""

_CHANGES = f"""{_UNPACKED}
    and s.market_ids && $4::smallint[]
    and (u.market_id, u.specifiers) in (select * from unnest($4::smallint[], $5::text[]))
order by s.epoch desc, s.seq desc
limit $6
"""  # noqa: S608 - a constant

_STATE = f"""
select distinct on (bookmaker, market, specifiers) *
from ({_UNPACKED}) as c
order by bookmaker, market, specifiers, epoch desc, seq desc
"""  # noqa: S608 - a constant

_SEEN = """
select distinct on (b.slug) b.slug as bookmaker, least(coalesce(s.last_confirmed_at, s.captured_at), $3) as seen_at
from odds_snapshots as s
join bookmakers as b on b.id = s.bookmaker_id
where s.event_id = $1 and b.slug = any ($2) and s.captured_at <= $3
order by b.slug, s.epoch desc, s.seq desc
"""


_CHANGED_IN = """
select
    s.event_id as sr_id, e.home, e.away, b.slug as bookmaker, s.captured_at as at,
    cardinality(s.market_ids) as markets,
    count(*) over () as total,
    sum(cardinality(s.market_ids)) over () as total_markets
from odds_snapshots as s
join bookmakers as b on b.id = s.bookmaker_id
join events as e on e.id = s.event_id
where s.scrape_run_id = $1
order by s.epoch, s.seq, s.event_id, s.bookmaker_id
limit $2 offset $3
"""


class HistoryRepository:
    """An event's stored prices; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def kickoff(self, sr_id: int) -> datetime | None:
        """Return an event's kick-off; None for one that was never stored."""
        async with reachable_connection(self._engine) as connection:
            kickoff: datetime | None = await connection.fetchval(_KICKOFF, sr_id)
            return kickoff

    async def changes(
        self,
        sr_id: int,
        bookmakers: Collection[str],
        until: datetime,
        markets: Collection[tuple[int, str]],
        limit: int,
    ) -> Sequence[StoredChange]:
        """Return the newest changes of these markets (number and specifiers) up to an instant, oldest first."""
        numbers, specifiers = [number for number, _ in markets], [text for _, text in markets]
        async with reachable_connection(self._engine) as connection:
            rows = await connection.fetch(_CHANGES, sr_id, list(bookmakers), until, numbers, specifiers, limit)
        return [_change(row) for row in reversed(rows)]

    async def state(self, sr_id: int, bookmakers: Collection[str], at: datetime) -> Sequence[StoredChange]:
        """Return the last change of every market up to an instant."""
        async with reachable_connection(self._engine) as connection:
            return [_change(row) for row in await connection.fetch(_STATE, sr_id, list(bookmakers), at)]

    async def seen(self, sr_id: int, bookmakers: Collection[str], until: datetime) -> Mapping[str, datetime]:
        """Return when each bookmaker's prices were last known to hold, up to an instant."""
        async with reachable_connection(self._engine) as connection:
            rows = await connection.fetch(_SEEN, sr_id, list(bookmakers), until)
        return {row["bookmaker"]: row["seen_at"] for row in rows}

    async def changed_in(self, run_id: int, limit: int, offset: int) -> Sequence[RunChange]:
        """Return what a run has stored as changed, in the order in which it was written."""
        async with reachable_connection(self._engine) as connection:
            rows = await connection.fetch(_CHANGED_IN, run_id, limit, offset)
        return [RunChange(**row) for row in rows]


def _change(row: asyncpg.Record) -> StoredChange:
    return StoredChange(
        bookmaker=row["bookmaker"],
        at=row["at"],
        market=row["market"],
        specifiers=row["specifiers"],
        prices=row["prices"],
    )
