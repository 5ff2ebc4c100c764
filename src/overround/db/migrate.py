"""Brings a database to the schema of this release."""

from importlib.resources import files
from typing import cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from overround.db.engine import create_engine
from overround.db.ownership import Fence, unfenced
from overround.errors import DatabaseUnavailableError

_APPLICATION = "overround migrations"
_COMMAND_TIMEOUT = 3600.0  # seconds; a migration may rewrite a table, and others wait for its lock
_LOCK = 0x6F766572726F756E  # "overroun": any fixed number that no other program picks


def head() -> str:
    """Return the newest revision that this release has: the number in the name of its newest migration."""
    names = (entry.name for entry in (files("overround.db") / "migrations" / "versions").iterdir())
    return max(name[1:].partition("_")[0] for name in names if name.startswith("m"))


async def current(url: str) -> str:
    """Return the revision that a database has; empty for a database without our tables.

    Raises:
        DatabaseUnavailableError: it cannot be reached.
    """
    engine = create_engine(url, _APPLICATION)
    try:
        return await revision_of(engine)
    finally:
        await engine.dispose()


async def revision_of(engine: AsyncEngine) -> str:
    """Return the revision of an engine's database; empty for a database without our tables.

    Raises:
        DatabaseUnavailableError: it cannot be reached.
    """
    try:
        async with engine.connect() as connection:
            return await _current(connection)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailableError(f"cannot read the schema's revision: {error}") from error


async def require_head(engine: AsyncEngine) -> None:
    """Refuse a database that is not of this release.

    Raises:
        DatabaseUnavailableError: it is not, or cannot be reached.
    """
    found = await revision_of(engine)
    if found != head():
        raise DatabaseUnavailableError(f"the schema is {found or 'not there'}, not {head()}: `overround db upgrade`")


async def upgrade(url: str, fence: Fence = unfenced) -> str:
    """Bring a database to the newest revision, and return the one that it had before; all or nothing.

    Others who upgrade at the same time wait, and then find nothing left to do. `fence` holds the ownership
    meanwhile; only a database of a release before there were owners may go without one.

    Raises:
        DatabaseUnavailableError: it cannot be reached, or refuses.
        OwnershipLostError: another process owns it.
    """
    engine = create_engine(url, _APPLICATION, command_timeout=_COMMAND_TIMEOUT)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            before = await _current(connection)
            if before != head():
                raw = await connection.get_raw_connection()
                await fence(cast("asyncpg.Connection", raw.driver_connection))
                # Alembic takes half a second to load, and at most starts there is nothing for it to do.
                from overround.db.migration_run import run_migrations  # noqa: PLC0415 - see above

                await connection.run_sync(run_migrations)
            return before
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailableError(f"cannot bring the database up to date: {error}") from error
    finally:
        await engine.dispose()


async def _current(connection: AsyncConnection) -> str:
    if await connection.scalar(text("select to_regclass('alembic_version')")) is None:
        return ""
    return str(await connection.scalar(text("select version_num from alembic_version")) or "")
