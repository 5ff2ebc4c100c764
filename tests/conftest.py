"""Fixtures for all tests: a real PostgreSQL for each worker, and a database of its own for each test."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db import migrate
from overround.db.embedded import running_postgres
from overround.db.engine import create_engine

# Nothing that a test writes must outlive a power cut.
_FAST_SERVER = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
_TEMPLATE = "overround_template"


@pytest.fixture(autouse=True)
def logs_as_ever() -> Iterator[None]:
    """Let no test that ran a command in this process decide what the next ones log."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an embedded server for this worker's session; yields the address of its (unused) main database."""
    data_dir = tmp_path_factory.mktemp("postgres")
    server = running_postgres(data_dir, ephemeral=True, options=_FAST_SERVER)
    with asyncio.Runner() as runner:
        url = runner.run(server.__aenter__())
        try:
            runner.run(_make_template(url))
            yield url
        finally:
            runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Yield names that no other test of this server uses."""
    return (f"test_{number}" for number in itertools.count(1))


@pytest.fixture
async def database_url(postgres_url: str, database_names: Iterator[str]) -> AsyncIterator[str]:
    """Yield the address of a database with all migrations applied, for this test alone."""
    name = next(database_names)
    await _administer(postgres_url, f"create database {name} template {_TEMPLATE} strategy file_copy")
    yield address_of(postgres_url, name)
    await _administer(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
async def empty_database_url(postgres_url: str, database_names: Iterator[str]) -> AsyncIterator[str]:
    """Yield the address of a database without any table."""
    name = next(database_names)
    await _administer(postgres_url, f"create database {name}")
    yield address_of(postgres_url, name)
    await _administer(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on this test's database."""
    engine = create_engine(database_url, "overround tests")
    yield engine
    await engine.dispose()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data directory for a service or a server of this test's own."""
    return tmp_path / "data"


def address_of(url: str, database: str) -> str:
    """Return the address of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _make_template(url: str) -> None:
    await _administer(url, f"create database {_TEMPLATE}")
    await migrate.upgrade(address_of(url, _TEMPLATE))


async def _administer(url: str, statement: str) -> None:
    address: URL = make_url(url)
    connection = await asyncpg.connect(
        host=address.query["host"], user=address.username, database=address.database, timeout=30
    )
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
