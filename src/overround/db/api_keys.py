"""API keys, as the database keeps them."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection
from overround.records.stored import ApiKey, Role

_COLUMNS = "id, name, role, digest, created_at, revoked_at"

_ALL = f"select {_COLUMNS} from api_keys order by created_at, id"  # noqa: S608 - a constant

_ADD = f"insert into api_keys ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - a constant

_REVOKE = "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning id"


class PostgresKeyRepository:
    """The keys; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys, revoked ones included, oldest first."""
        async with reachable_connection(self._engine) as connection:
            return [_key(row) for row in await connection.fetch(_ALL)]

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
