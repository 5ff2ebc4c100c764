"""Listings whose list entry lacks a SportRadar id: the event's own body may have it."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from overround.caching.event_book import EventBook, KnownListing
from overround.errors import FetchError
from overround.ports import Clock
from overround.scraping.event_scrape import Source

_RETRY_AFTER = 3600.0  # seconds
_AT_MOST = 50  # fetches a cycle: this must never hold up the scrape

_log = structlog.get_logger(__name__)


class ListingResolver:
    """Looks up ids that lists do not state; one that was not found is asked for again after an hour."""

    def __init__(self, sources: Mapping[str, Source], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._asked: dict[tuple[str, str], float] = {}

    async def resolve(self, book: EventBook) -> Sequence[KnownListing]:
        """Return the unmatched listings whose body names their event, with the id filled in."""
        due = self._due(book)
        found = await asyncio.gather(*(self._look_up(known) for known in due))
        return [known for known in found if known is not None]

    def _due(self, book: EventBook) -> Sequence[KnownListing]:
        now = self._clock.monotonic()
        unmatched = [known for known in book.known() if known.listing.sr_id is None and known.gone_at is None]
        keys = {(known.listing.bookmaker, known.listing.listing_id): known for known in unmatched}
        self._asked = {key: at for key, at in self._asked.items() if key in keys and now - at < _RETRY_AFTER}
        due = [key for key in keys if key not in self._asked and key[0] in self._sources][:_AT_MOST]
        self._asked.update(dict.fromkeys(due, now))
        return [keys[key] for key in due]

    async def _look_up(self, known: KnownListing) -> KnownListing | None:
        source = self._sources[known.listing.bookmaker]
        try:
            response = await source.client.fetch_event(known.listing)
            sr_id = source.reader.read(response).listing.sr_id
        except FetchError as error:
            _log.info("listing_not_resolved", bookmaker=source.slug, listing=known.listing.listing_id, error=str(error))
            return None
        if sr_id is None:
            return None
        return msgspec.structs.replace(known, listing=msgspec.structs.replace(known.listing, sr_id=sr_id))
