"""Matching by hand: somebody says of which event a listing is, or takes that back."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from difflib import SequenceMatcher

import msgspec
import structlog

from overround.caching.event_register import EventRegister, KnownListing
from overround.errors import UnknownEventError, UnknownListingError
from overround.ports import Clock, LinkRepository
from overround.records.event import Event, Listing, ListingLink
from overround.scraping.event_coordinator import EventCoordinator

_NEAR = timedelta(hours=3)  # bookmakers differ about a kick-off by minutes, if at all
_MIN_LIKENESS = 0.5
_CANDIDATES = 3

_log = structlog.get_logger(__name__)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a listing may be of; `likeness` of the teams' names is 0 to 1."""

    event: Event
    likeness: float


class ListingLinker:
    """Makes and undoes links; each is stored before it counts, so that it survives a restart."""

    def __init__(
        self, coordinator: EventCoordinator, book: EventRegister, repository: LinkRepository, clock: Clock
    ) -> None:
        self._coordinator = coordinator
        self._book = book
        self._repository = repository
        self._clock = clock

    async def link(self, bookmaker: str, listing_id: str, sr_id: int, reason: str) -> ListingLink:
        """Say that a listing is of an event.

        Raises:
            UnknownListingError: there is no such listing.
            UnknownEventError: there is no such event.
            DatabaseUnavailableError: it cannot be stored, and does not count.
        """
        before = self._known(bookmaker, listing_id)
        if self._book.event(sr_id) is None:
            raise UnknownEventError(sr_id)
        link = self._link(before.listing, sr_id, reason)
        await self._repository.save(link)
        self._book.link(link)
        self._rematch(before, sr_id)
        _log.info("listing_linked", **msgspec.to_builtins(link))
        return link

    async def unlink(self, bookmaker: str, listing_id: str, reason: str) -> None:
        """Take back what was said of a listing: the bookmaker's own word counts again from the next discovery on.

        Raises:
            UnknownListingError: there is no such listing, or it has no link.
            DatabaseUnavailableError: it cannot be stored, and does not count.
        """
        before = self._known(bookmaker, listing_id)
        if not any((one.bookmaker, one.listing_id) == (bookmaker, listing_id) for one in self._book.links()):
            raise UnknownListingError(bookmaker, listing_id)
        await self._repository.remove(bookmaker, listing_id)
        self._book.unlink((bookmaker, listing_id))
        self._rematch(before, None)
        _log.info("listing_unlinked", bookmaker=bookmaker, listing=listing_id, reason=reason)

    def _link(self, listing: Listing, sr_id: int, reason: str) -> ListingLink:
        former = self._book.link_of((listing.bookmaker, listing.listing_id))
        return ListingLink(
            bookmaker=listing.bookmaker,
            listing_id=listing.listing_id,
            sr_id=sr_id,
            reason=reason,
            linked_at=self._clock.now(),
            home=listing.home,
            away=listing.away,
            tournament=listing.tournament,
            own_sr_id=listing.sr_id if former is None else former.own_sr_id,
        )

    def _known(self, bookmaker: str, listing_id: str) -> KnownListing:
        known = self._book.listing((bookmaker, listing_id))
        if known is None or known.gone_at is not None:
            raise UnknownListingError(bookmaker, listing_id)
        return known

    def _rematch(self, before: KnownListing, sr_id: int | None) -> None:
        self._coordinator.rematch({one for one in (before.listing.sr_id, sr_id) if one is not None})


def candidates(listing: Listing, events: Iterable[Event]) -> Sequence[Candidate]:
    """Return the events that a listing may be of: same sport, kick-off near, teams alike; the likeliest first."""
    found = [
        Candidate(event=event, likeness=round(likeness, 2))
        for event in events
        if event.sport == listing.sport and abs(event.kickoff - listing.kickoff) <= _NEAR
        for likeness in [(_likeness(event.home, listing.home) + _likeness(event.away, listing.away)) / 2]
        if likeness >= _MIN_LIKENESS
    ]
    return sorted(found, key=lambda one: -one.likeness)[:_CANDIDATES]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
