"""Engines: how a connection to PostgreSQL is made, and what it may cost in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from overround.errors import DatabaseUnavailableError

CONNECT_TIMEOUT = 10.0  # seconds
COMMAND_TIMEOUT = 60.0  # seconds: far above any statement of ours, below the patience of an operator
_POOL_RECYCLE = 1800
_SCHEMES = frozenset(("postgresql", "postgres"))


def create_engine(
    url: str,
    application_name: str,
    *,
    pool_size: int = 5,
    command_timeout: float = COMMAND_TIMEOUT,
    connect_timeout: float = CONNECT_TIMEOUT,
) -> AsyncEngine:
    """Return an engine; it connects when first used. `application_name` is what the server's lists show.

    Any address of a PostgreSQL server will do: the driver is set here.

    Raises:
        DatabaseUnavailableError: the text is not a database address.
    """
    try:
        given = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnavailableError(f"not a database address: {error}") from error
    if given.drivername.partition("+")[0] not in _SCHEMES:
        raise DatabaseUnavailableError(f"not the address of a PostgreSQL server: {given.drivername}://...")
    address = given.set(drivername="postgresql+asyncpg")
    return create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=_POOL_RECYCLE,
        connect_args={
            "timeout": connect_timeout,
            "command_timeout": command_timeout,
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                "jit": "off",
                "synchronous_commit": "on",
            },
        },
    )


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return what makes sessions of an engine; their objects stay readable after a commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def driver_connection(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """Lend the driver's own connection, for COPY and statements that are pipelined.

    After a failure the connection is thrown away: nobody knows what state it is in.
    """
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        try:
            yield cast("asyncpg.Connection", raw.driver_connection)
        except BaseException:
            await connection.invalidate()
            raise


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Lend an engine, and close its connections at the end."""
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def while_connected(connection: asyncpg.Connection, seconds: float = COMMAND_TIMEOUT) -> AsyncIterator[None]:
    """End a block as soon as its connection is lost, or when it takes longer than a command may.

    In the middle of a COPY the driver (asyncpg 0.32) waits for room to send, and neither hears there that the
    connection is lost nor keeps its own time limit: without this it waits for ever.

    Raises:
        ConnectionError: the connection was lost, or the block did not end in time; the message tells which.
    """
    limit = asyncio.timeout(seconds)
    reason = f"not done after {seconds:g} s"

    def lost(_: object) -> None:
        nonlocal reason
        if not ended:
            reason = "the connection was lost"
            limit.reschedule(0)

    ended = False
    connection.add_termination_listener(lost)
    try:
        async with limit:
            try:
                yield
            finally:
                ended = True
    except TimeoutError as error:
        raise ConnectionError(f"{reason} in the middle of a copy") from error
    finally:
        connection.remove_termination_listener(lost)


@asynccontextmanager
async def reachable_connection(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """Lend the driver's own connection to somebody who waits for the answer.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or refuses what it was asked.
    """
    try:
        async with driver_connection(engine) as connection:
            yield connection
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
        raise DatabaseUnavailableError(f"the database cannot be reached: {error}") from error
