"""What a database is and holds: its schema's revision, its rows, its size."""

import asyncio

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.migrate import head, revision_of
from overround.db.repositories import DatabaseFacts, FactsRepository
from overround.db.size import database_bytes


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """A database: the revision of its schema, the one that this release wants, and what is stored.

    Without our tables `revision` and the counts are None.
    """

    revision: str | None
    head: str
    size_bytes: int
    events: int | None = None
    odds_snapshots: int | None = None
    market_odds: int | None = None
    doubled: int | None = None


async def inventory(engine: AsyncEngine) -> Inventory:
    """Count what is stored; reads all of the history, which takes its time.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    revision, wanted = await revision_of(engine), await asyncio.to_thread(head)
    size = await database_bytes(engine)
    if not revision:
        return Inventory(revision=None, head=wanted, size_bytes=size)
    facts: DatabaseFacts = await FactsRepository(engine).facts()
    return Inventory(revision=revision, head=wanted, size_bytes=size, **msgspec.structs.asdict(facts))
