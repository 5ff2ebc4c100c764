import asyncio
import uuid
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db import migrate
from overround.db.engine import create_engine
from overround.db.migration_run import configured, run_migrations
from overround.db.models import metadata
from overround.db.partitions import PARTITIONED, prepare_partitions
from overround.db.repositories import BookmakerRepository
from overround.errors import DatabaseUnavailableError
from overround.records.batch import CurrentMarketData
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.write_data import (
    CATALOGUE,
    MINUTE,
    NOON,
    NUMBERS,
    RESULT,
    TOTAL,
    batch,
    market,
    rows,
    snapshot,
    stamped,
)

# What alembic's comparison does not see: how tables are partitioned, stored and indexed.
_SHAPE = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_partkeydef(c.oid), c.reloptions
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'alembic_version'
order by c.relname, a.attname
"""
_LATEST = (
    "select * from latest_odds order by event_id",
    "select * from prices order by event_id, market, specifiers, outcome",
)
_INDEXES = """
select tablename, indexname, indexdef from pg_indexes
where schemaname = 'public' and tablename <> 'alembic_version' order by indexname
"""
_CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'public'::regnamespace and contype in ('p', 'u', 'f')
    and conrelid::regclass::text <> 'alembic_version'
order by 1, 2
"""


def is_partition(table: str) -> bool:
    """Tell whether a table's name is that of a partition."""
    parent, _, day = table.rpartition("_")
    return parent in PARTITIONED and day.isdigit()


async def test_an_empty_database_is_brought_to_the_newest_revision(empty_database_url: str) -> None:
    """From empty to head, and again from head to head without a change."""
    assert await migrate.current(empty_database_url) == ""
    assert await migrate.upgrade(empty_database_url) == ""
    assert await migrate.current(empty_database_url) == migrate.head()
    assert await migrate.upgrade(empty_database_url) == migrate.head()


def test_the_newest_revision_is_told_by_the_migrations_names() -> None:
    """What the files' names say is what Alembic finds in them: a start compares the names alone."""
    assert migrate.head() == ScriptDirectory.from_config(configured()).get_current_head()


async def test_those_who_upgrade_together_wait_for_each_other(empty_database_url: str) -> None:
    """Of several upgrades at once one does the work, and the others find it done."""
    before = await asyncio.gather(*(migrate.upgrade(empty_database_url) for _ in range(4)))
    assert sorted(before) == ["", *[migrate.head()] * 3]


async def test_models_and_migrations_agree_by_alembic(engine: AsyncEngine) -> None:
    """Alembic finds nothing to migrate between the newest revision and the models, partitions set aside."""

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not is_partition(name or "")

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        return list(compare_metadata(context, metadata))

    await prepare_partitions(engine, NOON, timedelta(days=9))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("query", [_SHAPE, _INDEXES, _CONSTRAINTS])
async def test_models_and_migrations_agree_in_the_catalogue(
    engine: AsyncEngine, empty_database_url: str, query: str
) -> None:
    """Tables made from the models have the columns, partitioning, options, indexes and keys of the migrations."""
    from_models = create_engine(empty_database_url, "overround tests")
    async with from_models.begin() as connection:
        await connection.run_sync(metadata.create_all)
    try:
        assert await rows(engine, query) == await rows(from_models, query)
    finally:
        await from_models.dispose()


async def test_the_views_are_there(engine: AsyncEngine) -> None:
    """The three views for people and SQL tools exist, and answer on an empty database."""
    counted = " union all ".join(map("select count(*) from {}".format, ("market_odds", "prices", "price_history")))
    assert await rows(engine, counted) == [(0,)] * 3


async def test_a_failed_migration_changes_nothing(empty_database_url: str) -> None:
    """Where a table of ours stands already, the upgrade is refused and nothing else is created."""
    engine = create_engine(empty_database_url, "overround tests")
    async with engine.begin() as connection:
        await connection.execute(text("create table latest_odds (mine integer)"))
    with pytest.raises(DatabaseUnavailableError, match="latest_odds"):
        await migrate.upgrade(empty_database_url)
    assert await rows(engine, "select relname from pg_class where relnamespace = 'public'::regnamespace") == [
        ("latest_odds",)
    ]
    await engine.dispose()


async def test_the_latest_state_survives_its_change_of_form(engine: AsyncEngine) -> None:
    """From bytes to the arrays of before and back, each price and time stays, and so does what the view shows."""
    await BookmakerRepository(engine).register({number: (slug, slug) for slug, number in NUMBERS.items()})
    handler = PostgresWriteHandler(engine, CATALOGUE, NUMBERS, SystemClock())
    lagging = CurrentMarketData(TOTAL, "line=2.5", (1850, -1950), NOON - MINUTE, NOON - MINUTE)
    snapshots = (
        snapshot(NOON, market(RESULT, "", 2100, -1, 3500), market(RESULT, "x=1", 1010), rest=(lagging,)),
        snapshot(NOON, market(RESULT, "", -2_000_000_000, 70_000), sr_id=8),
        snapshot(NOON, sr_id=9),
    )
    await handler.write(uuid.UUID(int=1), stamped(batch(*snapshots)))
    before = [await rows(engine, query) for query in _LATEST]
    async with engine.begin() as connection:
        await connection.run_sync(_to_arrays)
        assert len(before[1]) == (await connection.execute(text("select count(*) from prices"))).scalar_one()
        assert (
            await connection.execute(text("select prices[2] from latest_odds where event_id = 8"))
        ).scalar() == 70_000
        await connection.run_sync(run_migrations)
    assert [await rows(engine, query) for query in _LATEST] == before


def _to_arrays(connection: Connection) -> None:
    configuration = configured()
    configuration.attributes["connection"] = connection
    command.downgrade(configuration, "0005")


@pytest.mark.parametrize("url", ["nonsense", "postgresql://nobody@/nothing?host=/nowhere"])
async def test_a_database_that_is_not_there_is_reported(url: str) -> None:
    """An address that is none, or where nothing listens, is an error of ours that says so."""
    with pytest.raises(DatabaseUnavailableError):
        await migrate.current(url)


async def test_partitions_are_made_ahead(engine: AsyncEngine) -> None:
    """Partitions cover the time asked for, from that of `now` on, and making them again changes nothing."""
    for _ in range(2):
        await prepare_partitions(engine, NOON, timedelta(days=8))
    made = await rows(engine, "select relname from pg_class where relispartition and relkind = 'r' order by 1")
    names = [str(name) for (name,) in made]
    assert all(is_partition(name) for name in names)
    assert [name for name in names if name.startswith("odds")] == ["odds_snapshots_20260105", "odds_snapshots_20260112"]
    days = [name for name in names if name.startswith("event")]
    assert (len(days), days[0], days[-1]) == (9, "event_scrape_status_20260107", "event_scrape_status_20260115")
