"""Brings a database to the schema of this release."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import create_engine
from overround.errors import DatabaseUnavailableError

_APPLICATION = "overround migrations"
_COMMAND_TIMEOUT = 3600.0  # seconds; a migration may rewrite a table, and others wait for its lock
_LOCK = 0x6F766572726F756E  # "overroun": any fixed number that no other program picks


def head() -> str:
    """Return the newest revision that this release has."""
    revision = ScriptDirectory.from_config(_configuration()).get_current_head()
    return revision or ""


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
            return await connection.run_sync(_current)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailableError(f"cannot read the schema's revision: {error}") from error


async def upgrade(url: str) -> str:
    """Bring a database to the newest revision, and return the one that it had before; all or nothing.

    Others who upgrade at the same time wait, and then find nothing left to do.

    Raises:
        DatabaseUnavailableError: it cannot be reached, or refuses.
    """
    engine = create_engine(url, _APPLICATION, command_timeout=_COMMAND_TIMEOUT)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            before = await connection.run_sync(_current)
            await connection.run_sync(_upgrade)
            return before
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailableError(f"cannot bring the database up to date: {error}") from error
    finally:
        await engine.dispose()


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _upgrade(connection: Connection) -> None:
    configuration = _configuration()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(files("overround.db") / "migrations").replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration
