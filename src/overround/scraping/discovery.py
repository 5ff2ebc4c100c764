"""Asking all bookmakers at once what they list, and entering the answers in the event book."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from overround.caching.event_book import BookUpdate, EventBook, KnownListing, update_book
from overround.errors import ErrorClass
from overround.event import DiscoveryFailure, LeagueListings, Listing
from overround.scraping.event_scrape import Source
from overround.scraping.matching import match_listings

_log = structlog.get_logger(__name__)

ListingKey = tuple[str, str]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What one discovery brought: league answers and failed calls, of all bookmakers."""

    leagues: tuple[LeagueListings, ...]
    failures: tuple[DiscoveryFailure, ...]


async def discover(sources: Mapping[str, Source], sports: Sequence[str]) -> Sweep:
    """Ask all bookmakers at once; a failed call costs its own league only."""
    answers = await asyncio.gather(*(_discover_one(source, sports) for source in sources.values()))
    every = [answer for one in answers for answer in one]
    return Sweep(
        leagues=tuple(answer for answer in every if isinstance(answer, LeagueListings)),
        failures=tuple(answer for answer in every if isinstance(answer, DiscoveryFailure)),
    )


def enter_sweep(
    book: EventBook, sweep: Sweep, precedence: Sequence[str], now: datetime, grace: timedelta
) -> BookUpdate:
    """Enter a sweep in the book and return what differs from before.

    A listing is gone when its league was answered and no league of the sweep has it. What the
    eviction would drop is not entered.
    """
    seen = _current_sightings(book, sweep, now, grace)
    missing = [known for known in book.known() if _key(known.listing) not in seen and known.gone_at is None]
    answered = {(league.bookmaker, league.league) for league in sweep.leagues}
    gone = [known for known in missing if (known.listing.bookmaker, known.league) in answered]
    carried = [known for known in missing if (known.listing.bookmaker, known.league) not in answered]
    update = enter_listings(book, [*seen.values(), *carried], precedence, now)
    vanished = update_book(book, (), [msgspec.structs.replace(known, gone_at=now) for known in gone])
    return BookUpdate(events=update.events, listings=(*vanished.listings, *update.listings))


def enter_listings(
    book: EventBook, current: Sequence[KnownListing], precedence: Sequence[str], now: datetime
) -> BookUpdate:
    """Match listings to events, tell duplicates, enter both and return what differs from before."""

    def first_seen(listing: Listing) -> datetime:
        known = book.find(listing)
        return known.first_seen_at if known is not None else now

    matched = match_listings((known.listing for known in current), precedence, first_seen)
    duplicates = {_key(listing) for listing in matched.duplicates}
    entries = [msgspec.structs.replace(known, duplicate=_key(known.listing) in duplicates) for known in current]
    return update_book(book, matched.events, entries)


def rematch(book: EventBook, sr_ids: Collection[int], precedence: Sequence[str], now: datetime) -> BookUpdate:
    """Match all current listings of these events once more, as their links now are."""
    current = (
        msgspec.structs.replace(known, listing=book.as_linked(known.listing))
        for known in book.known()
        if known.gone_at is None
    )
    sr_ids_after = [(known, known.listing.sr_id, book.listing(_key(known.listing))) for known in current]
    concerned = [
        known
        for known, sr_id, before in sr_ids_after
        if sr_id in sr_ids or (before is not None and before.listing.sr_id in sr_ids)
    ]
    return enter_listings(book, concerned, precedence, now)


def _current_sightings(
    book: EventBook, sweep: Sweep, now: datetime, grace: timedelta
) -> dict[ListingKey, KnownListing]:
    return {
        _key(listing): KnownListing(
            listing=_with_resolved_id(book, listing),
            league=league.league,
            first_seen_at=now,
            seen_at=now,
        )
        for league in sweep.leagues
        for listing in league.listings
        if listing.kickoff + grace >= now
    }


def _with_resolved_id(book: EventBook, listing: Listing) -> Listing:
    """Keep the SportRadar id that an event's own body gave, where the list does not state it; a link goes before."""
    listing = book.as_linked(listing)
    known = book.find(listing)
    if listing.sr_id is not None or known is None or known.listing.sr_id is None or known.listing.linked:
        return listing
    return msgspec.structs.replace(listing, sr_id=known.listing.sr_id)


async def _discover_one(source: Source, sports: Sequence[str]) -> list[LeagueListings | DiscoveryFailure]:
    answers: list[LeagueListings | DiscoveryFailure] = []
    try:
        async for answer in source.client.discover(sports):
            answers.append(answer)  # noqa: PERF401 - what came before a failure counts
    except Exception as error:  # noqa: BLE001 - supervision point: one bookmaker's bug never stops the others
        _log.error("discovery_bug", bookmaker=source.slug, exc_info=error)
        answers.append(
            DiscoveryFailure(
                bookmaker=source.slug, league="", error_class=ErrorClass.INTERNAL, message=f"{source.slug}: {error!r}"
            )
        )
    return answers


def _key(listing: Listing) -> ListingKey:
    return (listing.bookmaker, listing.listing_id)
