"""How much room the database takes."""

from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection

_SIZE = "select pg_database_size(current_database())"


async def database_bytes(engine: AsyncEngine) -> int:
    """Return the bytes of all its tables and indexes.

    Raises:
        DatabaseUnavailableError: it cannot be reached.
    """
    async with reachable_connection(engine) as connection:
        return int(await connection.fetchval(_SIZE))
