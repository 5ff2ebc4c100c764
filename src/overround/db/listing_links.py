"""Links between listings and events that somebody made by hand, as the database keeps them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection
from overround.records.event import ListingLink

_ALL = "select bookmaker, listing_id, sr_id, reason, linked_at from listing_links order by bookmaker, listing_id"

_SAVE = """
insert into listing_links (bookmaker, listing_id, sr_id, reason, linked_at)
values ($1, $2, $3, $4, $5)
on conflict (bookmaker, listing_id) do update
set sr_id = excluded.sr_id, reason = excluded.reason, linked_at = excluded.linked_at
"""

_REMOVE = "delete from listing_links where bookmaker = $1 and listing_id = $2"


class PostgresLinkRepository:
    """The links; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def links(self) -> Sequence[ListingLink]:
        """Return all links."""
        async with reachable_connection(self._engine) as connection:
            return [ListingLink(**row) for row in await connection.fetch(_ALL)]

    async def save(self, link: ListingLink) -> None:
        """Make a link, in place of one that the listing had."""
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_SAVE, link.bookmaker, link.listing_id, link.sr_id, link.reason, link.linked_at)

    async def remove(self, bookmaker: str, listing_id: str) -> None:
        """Undo a listing's link."""
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_REMOVE, bookmaker, listing_id)
