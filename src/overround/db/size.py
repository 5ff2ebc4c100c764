"""How much room the database takes."""

from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection

_SIZE = "select pg_database_size(current_database())"


async def database_bytes(engine: AsyncEngine) -> int:
    """Return the bytes of all its tables and indexes."""
    async with driver_connection(engine) as connection:
        return int(await connection.fetchval(_SIZE))
