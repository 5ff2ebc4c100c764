"""What `overround keys` does with the database of the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from overround.access.tokens import mint_key
from overround.cli.database_access import database
from overround.clock import SystemClock
from overround.db.preparation import upgrade_alone
from overround.db.repositories import PostgresKeyRepository
from overround.records.stored import ApiKey, Role
from overround.settings import Settings


def role_of(text: str) -> Role | None:
    """Return a role by its name; None if there is none."""
    return Role(text) if text in tuple(Role) else None


def create_key(name: str, role: Role) -> dict[str, Any]:
    """Make a key, and return it with its token."""
    minted = mint_key()
    key = ApiKey(id=minted.id, name=name, role=role, digest=minted.digest, created_at=SystemClock().now())

    async def add() -> None:
        async with _keys() as repository:
            await repository.add(key)

    asyncio.run(add())
    return {**_facts(key), "key": minted.token}


def all_keys() -> list[dict[str, Any]]:
    """Return all keys, without what could be used."""

    async def read() -> list[dict[str, Any]]:
        async with _keys() as repository:
            return [_facts(key, "revoked_at") for key in await repository.keys()]

    return asyncio.run(read())


def revoke_key(key_id: str) -> bool:
    """Revoke a key; tell whether there was one."""

    async def revoke() -> bool:
        async with _keys() as repository:
            return await repository.revoke(key_id, SystemClock().now())

    return asyncio.run(revoke())


@asynccontextmanager
async def _keys() -> AsyncIterator[PostgresKeyRepository]:
    """Reach the keys, in a database that is brought up to date: the first key is made before the first start.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        OwnedElsewhereError: a service of an earlier release owns it.
    """
    async with database("overround keys") as engine:
        await upgrade_alone(engine.url.render_as_string(hide_password=False), Settings().data_dir, SystemClock())
        yield PostgresKeyRepository(engine)


def _facts(key: ApiKey, *more: str) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(key, digest=b""))
    return {name: facts[name] for name in ("id", "name", "role", "created_at", *more)}
