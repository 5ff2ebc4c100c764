"""The reads of the service from the database, and the small tables that it keeps there: links, overrides, keys."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection, reachable_connection
from overround.db.ownership import Fence, unfenced
from overround.errors import BookmakerMismatchError
from overround.records.batch import (
    BookmakerCounts,
    CurrentMarkets,
    Instants,
    RunKind,
    RunStatus,
    ScrapeRun,
    from_byte_planes,
)
from overround.records.event import Event, Listing, ListingLink
from overround.records.stored import ApiKey, LatestRow, Role, StoredListing

_ROWS_AHEAD = 32  # decoded at one go, in well under 10 ms

_LATEST = """
select
    l.event_id, b.slug, l.snapshot_id, l.captured_at, l.epoch, l.seq,
    (
        select o.last_confirmed_at
        from odds_snapshots as o
        where o.event_id = l.event_id
            and o.bookmaker_id = l.bookmaker_id
            and o.captured_at = l.captured_at
            and o.id = l.snapshot_id
    ) as last_confirmed_at,
    l.body_hash, l.market_ids, l.specifiers, l.counts, l.prices, l.changed_at, l.confirmed_at
from latest_odds as l
join bookmakers as b on b.id = l.bookmaker_id
join events as e on e.id = l.event_id
where e.kickoff > $1 and b.slug = any ($2)
"""

_EVENTS = """
select id as sr_id, sport, home, away, kickoff, country, tournament, conflict
from events
where kickoff > $1
order by id
"""

_LISTINGS = """
select
    b.slug as bookmaker, l.listing_id, l.event_id as sr_id, l.sport, l.home, l.away, l.kickoff,
    l.country, l.tournament, l.active, l.gone_at, l.duplicate
from listings as l
join bookmakers as b on b.id = l.bookmaker_id
where l.kickoff > $1 and b.slug = any ($2)
order by l.seq
"""

_RUNS = """
select id as run_id, kind, status, started_at, finished_at, events, counts::text, errors::text
from scrape_runs
order by id desc
limit $1
"""

_LAST_RUN_ID = "select coalesce(max(id), 0) from scrape_runs"

_REGISTER = """
insert into bookmakers as b (id, slug, name)
select * from unnest($1::smallint[], $2::text[], $3::text[])
on conflict do nothing
"""

_BOOKMAKERS = "select id, slug, name from bookmakers"

_RENAME = "update bookmakers set name = $2 where id = $1"

_FACTS = """
select
    (select count(*) from events) as events,
    s.snapshots as odds_snapshots,
    s.changes as market_odds,
    s.snapshots - s.ids as doubled
from (
    select count(*) as snapshots, count(distinct id) as ids, coalesce(sum(cardinality(market_ids)), 0) as changes
    from odds_snapshots
) as s
"""


_LAST_INSTANT = "select greatest(max(captured_at), max(last_confirmed_at)) from odds_snapshots"


class DatabaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the database holds: rows of `events`, snapshots, stored market changes, ids that stand there twice."""

    events: int
    odds_snapshots: int
    market_odds: int
    doubled: int


class BookmakerRepository:
    """The database's list of bookmakers."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(self, bookmakers: Mapping[int, tuple[str, str]], fence: Fence = unfenced) -> None:
        """Enter the installed bookmakers, as number -> (slug, name); those there already must be the same.

        Raises:
            OwnershipLostError: another process owns the database.
            BookmakerMismatchError: a number or a slug belongs to another bookmaker.
        """
        numbers = list(bookmakers)
        slugs = [slug for slug, _ in bookmakers.values()]
        names = [name for _, name in bookmakers.values()]
        async with driver_connection(self._engine) as connection, connection.transaction():
            await fence(connection)
            await connection.execute(_REGISTER, numbers, slugs, names)
            stored = {number: (slug, name) for number, slug, name in await connection.fetch(_BOOKMAKERS)}
            for number, (slug, name) in bookmakers.items():
                _refuse_other(stored, number, slug)
                if stored[number][1] != name:
                    await connection.execute(_RENAME, number, name)


def _refuse_other(stored: Mapping[int, tuple[str, str]], number: int, slug: str) -> None:
    other = stored[number][0] if number in stored else None
    if other != slug:
        held = f"{number} is {other!r}" if other else f"{slug!r} has another number"
        raise BookmakerMismatchError(f"bookmaker {slug!r} has the number {number}, but in the database {held}")


class PostgresWarmupRepository:
    """What a starting service reads: the latest state, events, listings and runs."""

    def __init__(self, engine: AsyncEngine, slugs: Collection[str]) -> None:
        """Read for these bookmakers; rows of others are left where they are."""
        self._engine = engine
        self._slugs = list(slugs)

    async def latest(self, kickoff_after: datetime) -> AsyncIterator[LatestRow]:
        """Yield the latest state of every (event, bookmaker) whose event starts after that instant."""
        instants = Instants()
        async with driver_connection(self._engine) as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(_LATEST, kickoff_after, self._slugs)
            async with aclosing(_fetched_ahead(cursor, _ROWS_AHEAD)) as portions:
                async for rows in portions:
                    for row in rows:
                        yield _latest_row(row, instants)

    async def events(self, kickoff_after: datetime) -> Sequence[Event]:
        """Return the events that start after that instant."""
        async with driver_connection(self._engine) as connection:
            return [Event(**row) for row in await connection.fetch(_EVENTS, kickoff_after)]

    async def listings(self, kickoff_after: datetime) -> Sequence[StoredListing]:
        """Return the listings whose kick-off is after that instant."""
        async with driver_connection(self._engine) as connection:
            return [_listing(dict(row)) for row in await connection.fetch(_LISTINGS, kickoff_after, self._slugs)]

    async def runs(self, limit: int) -> Sequence[ScrapeRun]:
        """Return the newest scrape runs, newest first."""
        async with driver_connection(self._engine) as connection:
            return [_run(dict(row)) for row in await connection.fetch(_RUNS, limit)]

    async def last_run_id(self) -> int:
        """Return the greatest run id ever written; 0 if none."""
        async with driver_connection(self._engine) as connection:
            return int(await connection.fetchval(_LAST_RUN_ID))


class FactsRepository:
    """Sums over what is stored, for the demo's report and for checks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def facts(self) -> DatabaseFacts:
        """Count events, snapshots, market changes, and snapshot ids that are stored more than once.

        Raises:
            DatabaseUnavailableError: the database cannot be reached.
        """
        async with reachable_connection(self._engine) as connection:
            return DatabaseFacts(**await connection.fetchrow(_FACTS))

    async def last_instant(self) -> datetime | None:
        """Return the newest instant of any stored price; None for an empty database."""
        async with driver_connection(self._engine) as connection:
            instant: datetime | None = await connection.fetchval(_LAST_INSTANT)
            return instant


async def _fetched_ahead(cursor: asyncpg.cursor.Cursor, number: int) -> AsyncGenerator[Sequence[asyncpg.Record], None]:
    """Yield so many rows at a time; the server reads the next ones while these are worked on."""
    ahead = asyncio.create_task(cursor.fetch(number), name="rows-ahead")
    try:
        while rows := await ahead:
            ahead = asyncio.create_task(cursor.fetch(number), name="rows-ahead")
            await asyncio.sleep(0)  # lets the task ask before the work begins
            yield rows
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


def _latest_row(row: asyncpg.Record, instants: Instants) -> LatestRow:
    packed = CurrentMarkets(
        specifiers=tuple(row["specifiers"].split("\n")[:-1]),
        markets=row["market_ids"],
        counts=row["counts"],
        prices=from_byte_planes(row["prices"]),
        changed_at=row["changed_at"],
        confirmed_at=row["confirmed_at"],
    )
    markets, specifiers, prices, changed_at, confirmed_at = packed.unpacked(row["captured_at"], instants)
    return LatestRow(
        sr_id=row["event_id"],
        bookmaker=row["slug"],
        snapshot_id=uuid.UUID(bytes=row["snapshot_id"].bytes),
        captured_at=row["captured_at"],
        last_confirmed_at=row["last_confirmed_at"],
        body_hash=row["body_hash"],
        markets=markets,
        specifiers=specifiers,
        prices=prices,
        changed_at=changed_at,
        confirmed_at=confirmed_at if packed.confirmed_at else (),
        place=(row["epoch"], row["seq"]),
    )


def _listing(row: dict[str, Any]) -> StoredListing:
    gone_at, duplicate = row.pop("gone_at"), row.pop("duplicate")
    return StoredListing(listing=Listing(**row), gone_at=gone_at, duplicate=duplicate)


def _run(row: dict[str, Any]) -> ScrapeRun:
    kind, status = RunKind(row.pop("kind")), RunStatus(row.pop("status"))
    counts = msgspec.json.decode(row.pop("counts"), type=dict[str, BookmakerCounts])
    errors = msgspec.json.decode(row.pop("errors"), type=dict[str, int])
    return ScrapeRun(kind=kind, status=status, counts=counts, errors=errors, **row)


_ALL_LINKS = """
select bookmaker, listing_id, sr_id, reason, linked_at, home, away, tournament, own_sr_id
from listing_links
order by bookmaker, listing_id
"""

_SAVE_LINK = """
insert into listing_links (bookmaker, listing_id, sr_id, reason, linked_at, home, away, tournament, own_sr_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (bookmaker, listing_id) do update
set sr_id = excluded.sr_id, reason = excluded.reason, linked_at = excluded.linked_at, home = excluded.home,
    away = excluded.away, tournament = excluded.tournament, own_sr_id = excluded.own_sr_id
"""

_REMOVE = "delete from listing_links where bookmaker = $1 and listing_id = $2"


class PostgresLinkRepository:
    """The links; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def links(self) -> Sequence[ListingLink]:
        """Return all links."""
        async with reachable_connection(self._engine) as connection:
            return [ListingLink(**row) for row in await connection.fetch(_ALL_LINKS)]

    async def save(self, link: ListingLink) -> None:
        """Make a link, in place of one that the listing had."""
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_SAVE_LINK, *msgspec.structs.astuple(link))

    async def remove(self, bookmaker: str, listing_id: str) -> None:
        """Undo a listing's link."""
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_REMOVE, bookmaker, listing_id)


_ALL_OVERRIDES = "select path, value::text as value from settings_overrides order by path"

_SAVE_OVERRIDES = """
insert into settings_overrides (path, value, changed_at)
select path, value::jsonb, $3 from unnest($1::text[], $2::text[]) as changed (path, value)
on conflict (path) do update set value = excluded.value, changed_at = excluded.changed_at
"""


class PostgresOverrides:
    """The changes by their paths; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def overrides(self) -> Mapping[str, object]:
        """Return what is set over the settings, by path."""
        async with reachable_connection(self._engine) as connection:
            return {row["path"]: json.loads(row["value"]) for row in await connection.fetch(_ALL_OVERRIDES)}

    async def save(self, changes: Mapping[str, object], at: datetime) -> None:
        """Keep values, in place of earlier ones of the same paths."""
        values = [json.dumps(value) for value in changes.values()]
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_SAVE_OVERRIDES, list(changes), values, at)


_KEY_COLUMNS = "id, name, role, digest, created_at, revoked_at"

_ALL_KEYS = f"select {_KEY_COLUMNS} from api_keys order by created_at, id"  # noqa: S608 - a constant

_ADD = f"insert into api_keys ({_KEY_COLUMNS}) values ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - a constant

_REVOKE = "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning id"


class PostgresKeyRepository:
    """The keys; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys, revoked ones included, oldest first."""
        async with reachable_connection(self._engine) as connection:
            return [_key(row) for row in await connection.fetch(_ALL_KEYS)]

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        values = (key.id, key.name, key.role.value, key.digest, key.created_at, key.revoked_at)
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_ADD, *values)

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; tell whether there was one to revoke."""
        async with reachable_connection(self._engine) as connection:
            return await connection.fetchval(_REVOKE, key_id, at) is not None


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(**{**row, "role": Role(row["role"]), "digest": bytes(row["digest"])})
