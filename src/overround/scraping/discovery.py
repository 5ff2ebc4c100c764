"""Asking all bookmakers at once for their lists, and entering the answers in the event register."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog

from overround.bookmakers.kit.dates import bounded
from overround.caching.event_register import BookUpdate, EventRegister, KnownListing, update_book
from overround.errors import DateError, ErrorClass, FetchError
from overround.ports import Clock
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, ListingLink
from overround.records.odds import Dropped
from overround.scraping.absence import Sweep
from overround.scraping.event_scrape import Source, require_asked_for
from overround.scraping.likeness import is_simulated
from overround.scraping.matching import is_linked_match, match_listings, same_match
from overround.scraping.runs import ListFigures

_log = structlog.get_logger(__name__)

ListingKey = tuple[str, str]
Gone = Callable[[Sweep, Sequence[KnownListing]], Sequence[KnownListing]]
T = TypeVar("T")

_REASONS_SHOWN = 20
_NOTHING = BookUpdate(events=(), listings=())
# Before others have their turn: some two milliseconds.
_LOOKED_AT_AT_A_TIME = 500
_MATCHED_AT_A_TIME = 40


async def discover(sources: Mapping[str, Source], sports: Sequence[str]) -> Sweep:
    """Ask all bookmakers at once; a failed call costs its own league only."""
    answers = await asyncio.gather(*(_discover_one(source, sports) for source in sources.values()))
    every = [answer for one in answers for answer in one]
    return Sweep(
        leagues=tuple(_real(answer) for answer in every if isinstance(answer, LeagueListings)),
        failures=tuple(answer for answer in every if isinstance(answer, DiscoveryFailure)),
        bookmakers=tuple(sources),
        sports=tuple(sports),
    )


def list_figures(
    bookmakers: Iterable[str], sweep: Sweep, at: datetime, untrusted: Collection[str] = ()
) -> Mapping[str, ListFigures]:
    """Return what each bookmaker's lists held, with the most frequent reasons for what became no listing.

    The counts of the `untrusted` bookmakers have disagreed with their lists for too long.
    """
    lists: dict[str, list[LeagueListings]] = {bookmaker: [] for bookmaker in bookmakers}
    for league in sweep.leagues:
        lists.setdefault(league.bookmaker, []).append(league)
    failed = Counter(failure.bookmaker for failure in sweep.failures)
    return {
        bookmaker: ListFigures(
            at=at,
            listed=sum(league.listed for league in leagues),
            unreadable=sum(league.unreadable for league in leagues),
            unlisted=sum(league.unlisted for league in leagues),
            failed=failed[bookmaker],
            dropped=_by_reason(leagues),
            counts_trusted=bookmaker not in untrusted,
        )
        for bookmaker, leagues in lists.items()
    }


def _by_reason(leagues: Iterable[LeagueListings]) -> tuple[Dropped, ...]:
    counts: Counter[str] = Counter()
    for league in leagues:
        for dropped in league.dropped:
            counts[dropped.reason] += dropped.count
    return tuple(Dropped(reason, "list event", count) for reason, count in counts.most_common(_REASONS_SHOWN))


def entering(
    book: EventRegister, sweep: Sweep, precedence: Sequence[str], now: datetime, grace: timedelta, gone: Gone
) -> Iterator[BookUpdate]:
    """Enter a sweep in the book a little at a time, and yield what differs from before.

    `gone` chooses the listings that are gone among those that the sweep does not show. What the eviction would
    drop is not entered. Only events are matched again of which a listing has come, gone or changed; between two
    steps others may look at the book, and change it.
    """
    found = _Found()
    for league in sweep.leagues:
        for some in _slices(league.listings, _LOOKED_AT_AT_A_TIME):
            found.look_at(book, league, some, now, grace)
            yield _NOTHING
    lost = gone(sweep, tuple(found.missing(book)))
    found.changed_events.update(known.listing.sr_id for known in lost)
    leaving = {_key(known.listing) for known in lost}
    fresh = found.by_event()
    for sr_ids in _slices(sorted(found.changed_events, key=lambda sr_id: sr_id or 0), _MATCHED_AT_A_TIME):
        current = [known for sr_id in sr_ids for known in fresh.get(sr_id, ())]
        current += found.stayed(book, frozenset(sr_ids) - {None}, leaving)
        yield enter_listings(book, [_linked(book, known) for known in current], precedence, now)
    for left in _slices(lost, _MATCHED_AT_A_TIME):
        ended = [msgspec.structs.replace(known, gone_at=now, seen_at=book.seen_at(known)) for known in left]
        yield update_book(book, (), ended)


def enter_listings(
    book: EventRegister, current: Sequence[KnownListing], precedence: Sequence[str], now: datetime
) -> BookUpdate:
    """Match listings to events, tell duplicates, enter both and return what differs from before."""

    def first_seen(listing: Listing) -> datetime:
        known = book.find(listing)
        return known.first_seen_at if known is not None else now

    matched = match_listings((known.listing for known in current), precedence, first_seen)
    duplicates = {_key(listing) for listing in matched.duplicates}
    entries = [msgspec.structs.replace(known, duplicate=_key(known.listing) in duplicates) for known in current]
    return update_book(book, matched.events, entries)


def rematch(book: EventRegister, sr_ids: Collection[int], precedence: Sequence[str], now: datetime) -> BookUpdate:
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


class _Found:
    """What a sweep has found to be new: listings, and the events that they are of or were of.

    None among `changed_events` stands for listings that are of no known event.
    """

    def __init__(self) -> None:
        self._seen: set[ListingKey] = set()
        self._fresh: dict[ListingKey, KnownListing] = {}
        self.changed_events: set[int | None] = set()

    def look_at(
        self, book: EventRegister, league: LeagueListings, listings: Iterable[Listing], now: datetime, grace: timedelta
    ) -> None:
        """Compare some listings of a league with the book."""
        for stated in listings:
            key = _key(stated)
            # Listed is listed: by a wrong clock, every kick-off may have passed, and nothing is gone for that.
            self._seen.add(key)
            if stated.kickoff + grace < now:
                continue
            listing = _with_resolved_id(book, stated)
            known = book.listing(key)
            if known is not None and known.listing == listing and known.league == league.league and not known.gone_at:
                self._fresh.pop(key, None)
                book.saw(key, now)
                if listing.sr_id is not None and book.event(listing.sr_id) is None:
                    self.changed_events.add(listing.sr_id)
                continue
            self._fresh[key] = KnownListing(listing=listing, league=league.league, first_seen_at=now, seen_at=now)
            self.changed_events.update((listing.sr_id, listing.sr_id if known is None else known.listing.sr_id))

    def missing(self, book: EventRegister) -> Iterator[KnownListing]:
        """Iterate over what the book has and the sweep has not."""
        return (known for known in book.known() if known.gone_at is None and _key(known.listing) not in self._seen)

    def by_event(self) -> Mapping[int | None, Sequence[KnownListing]]:
        """Return the new listings by their event."""
        found: dict[int | None, list[KnownListing]] = defaultdict(list)
        for known in self._fresh.values():
            found[known.listing.sr_id].append(known)
        return found

    def stayed(
        self, book: EventRegister, sr_ids: Collection[int | None], leaving: Collection[ListingKey]
    ) -> Iterator[KnownListing]:
        """Iterate over the listings of some events that are as they were."""
        for known in book.known():
            if known.listing.sr_id in sr_ids and known.gone_at is None:
                key = _key(known.listing)
                if key not in leaving and key not in self._fresh:
                    yield known


def _linked(book: EventRegister, known: KnownListing) -> KnownListing:
    """Return a listing as the links of this moment have it."""
    listing = book.as_linked(known.listing)
    return known if listing is known.listing else msgspec.structs.replace(known, listing=listing)


def _slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _with_resolved_id(book: EventRegister, stated: Listing) -> Listing:
    """Keep the SportRadar id that an event's own body gave, where the list does not state it; a link goes before.

    Neither outlives the match that it was given to: an id that the bookmaker uses again is of another match.
    """
    known, link = book.find(stated), book.link_of(_key(stated))
    if link is not None and is_linked_match(link, stated):
        return book.as_linked(stated)
    if link is not None:
        lapse(book, link)
        return stated
    if known is not None and is_used_again(known.listing, stated):
        return stated
    listing = book.as_linked(stated)
    if listing.sr_id is not None or known is None or known.listing.sr_id is None or known.listing.linked:
        return listing
    return msgspec.structs.replace(listing, sr_id=known.listing.sr_id)


def is_used_again(before: Listing, after: Listing) -> bool:
    """Tell whether a listing's id now stands for another match than before."""
    number = before.own_sr_id if before.linked else before.sr_id
    if number is not None and after.sr_id is not None:
        return number != after.sr_id
    return not same_match(before, after)


def drop_lapsed(book: EventRegister) -> None:
    """Forget the stored links whose listing, as it is stored, is of another match by now."""
    for link in book.links():
        known = book.listing((link.bookmaker, link.listing_id))
        # A linked listing is stored with the link's number; the number says nothing of its match then.
        if known is not None and not is_linked_match(link, _without_number(known.listing, link.sr_id)):
            lapse(book, link)


def _without_number(listing: Listing, sr_id: int) -> Listing:
    return msgspec.structs.replace(listing, sr_id=None) if listing.sr_id == sr_id else listing


def lapse(book: EventRegister, link: ListingLink) -> None:
    """Forget a link whose match is over: the bookmaker uses the listing's id for another."""
    book.unlink((link.bookmaker, link.listing_id))
    _log.warning("link_lapsed", bookmaker=link.bookmaker, listing=link.listing_id, sr_id=link.sr_id)


def _real(answer: LeagueListings) -> LeagueListings:
    """Return a list without the matches that no teams play, which count as dropped."""
    simulated = sum(map(is_simulated, answer.listings))
    if not simulated:
        return answer
    return msgspec.structs.replace(
        answer,
        listings=tuple(listing for listing in answer.listings if not is_simulated(listing)),
        dropped=(*answer.dropped, Dropped("simulated match", "list event", simulated)),
    )


async def _discover_one(source: Source, sports: Sequence[str]) -> list[LeagueListings | DiscoveryFailure]:
    answers: list[LeagueListings | DiscoveryFailure] = []
    try:
        async for answer in source.client.discover(sports):
            readable = _readable(answer) if isinstance(answer, LeagueListings) else answer
            answers.append(readable)
    except Exception as error:  # noqa: BLE001 - supervision point: one bookmaker's bug never stops the others
        _log.error("discovery_bug", bookmaker=source.slug, exc_info=error)
        answers.append(
            DiscoveryFailure(
                bookmaker=source.slug, league="", error_class=ErrorClass.INTERNAL, message=f"{source.slug}: {error!r}"
            )
        )
    return answers


def _readable(league: LeagueListings) -> LeagueListings:
    """Return a list without the listings that no arithmetic survives, whichever client let them through."""
    faults = [fault for fault in map(_fault, league.listings) if fault]
    if not faults:
        return league
    dropped = tuple(Dropped(reason, "listing", count) for reason, count in Counter(faults).items())
    return msgspec.structs.replace(
        league,
        listings=tuple(listing for listing in league.listings if not _fault(listing)),
        dropped=league.dropped + dropped,
        unreadable=league.unreadable + len(faults),
    )


def _fault(listing: Listing) -> str:
    texts = (listing.listing_id, listing.home, listing.away, listing.country, listing.tournament)
    if not all(isinstance(text, str) for text in texts):
        return "a name is no text"
    try:
        bounded(listing.kickoff)
    except DateError as error:
        return str(error)
    return ""


def _key(listing: Listing) -> ListingKey:
    return (listing.bookmaker, listing.listing_id)


_RETRY_AFTER = 3600.0  # seconds
_AT_MOST = 50  # fetches a cycle: this must never hold up the scrape


class ListingResolver:
    """Looks up ids that lists do not state; one that was not found is asked for again after an hour."""

    def __init__(self, sources: Mapping[str, Source], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._asked: dict[tuple[str, str], float] = {}

    async def resolve(self, book: EventRegister) -> Sequence[KnownListing]:
        """Return the unmatched listings whose body names their event, with the id filled in."""
        due = self._due(book)
        found = await asyncio.gather(*(self._look_up(known) for known in due))
        return [known for known in found if known is not None]

    def _due(self, book: EventRegister) -> Sequence[KnownListing]:
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
            stated = source.reader.read(response).listing
            require_asked_for(known.listing, stated)
        except FetchError as error:
            _log.info("listing_not_resolved", bookmaker=source.slug, listing=known.listing.listing_id, error=str(error))
            return None
        except Exception as error:  # noqa: BLE001 - supervision point: one listing's body does not end a cycle
            _log.error("listing_bug", bookmaker=source.slug, listing=known.listing.listing_id, exc_info=error)
            return None
        if stated.sr_id is None:
            return None
        return msgspec.structs.replace(known, listing=msgspec.structs.replace(known.listing, sr_id=stated.sr_id))
