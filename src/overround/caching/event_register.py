"""Which events there are, and who lists them: the running service's register."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from overround.records.batch import ListingWriteData
from overround.records.event import Event, Listing, ListingLink


class KnownListing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listing with its history; `league` is the discovery call that showed it."""

    listing: Listing
    league: str
    first_seen_at: datetime
    seen_at: datetime
    gone_at: datetime | None = None
    duplicate: bool = False


class BookUpdate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What differs from before, to be written."""

    events: tuple[Event, ...]
    listings: tuple[ListingWriteData, ...]


ListingKey = tuple[str, str]
_IN_PLAY = " shows it in play before its kick-off"


class _Started:
    """Since when, in monotonic seconds, the wall clock has said of events and listings that they have kicked off."""

    def __init__(self) -> None:
        self._since: dict[int | ListingKey, float] = {}

    def past(
        self, kickoffs: Iterable[tuple[int | ListingKey, datetime]], now: datetime, monotonic: float, grace: timedelta
    ) -> Sequence[int | ListingKey]:
        """Return those that kicked off longer than `grace` ago by both clocks."""
        before = self._since
        started = [(key, kickoff) for key, kickoff in kickoffs if kickoff < now]
        self._since = {key: before.get(key, monotonic) for key, _ in started}
        held = monotonic - grace.total_seconds()
        due = [key for key, kickoff in started if kickoff + grace < now and self._since[key] <= held]
        for key in due:
            del self._since[key]
        return due


class EventRegister:
    """Events by SportRadar id and listings by (bookmaker, listing id); used from the event loop only."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}
        self._listings: dict[ListingKey, KnownListing] = {}
        self._by_event: dict[int, dict[str, ListingKey]] = {}
        self._links: dict[ListingKey, ListingLink] = {}
        self._seen_at: dict[ListingKey, datetime] = {}
        self._moved: set[tuple[int, str]] = set()
        self._started = _Started()
        self._revision = 0

    @property
    def revision(self) -> int:
        """Return a number that is another one whenever an event, or who lists it, has changed."""
        return self._revision

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self._events)

    def event(self, sr_id: int) -> Event | None:
        """Return an event, or None."""
        return self._events.get(sr_id)

    def events(self) -> Iterator[Event]:
        """Iterate over the events."""
        return iter(tuple(self._events.values()))

    def known(self) -> Iterator[KnownListing]:
        """Iterate over all listings: current, gone, duplicate and unmatched."""
        return iter(tuple(self._listings.values()))

    def find(self, listing: Listing) -> KnownListing | None:
        """Return what is known of a listing's (bookmaker, listing id)."""
        return self._listings.get((listing.bookmaker, listing.listing_id))

    def listing(self, key: ListingKey) -> KnownListing | None:
        """Return what is known of a (bookmaker, listing id)."""
        return self._listings.get(key)

    def saw(self, key: ListingKey, at: datetime) -> None:
        """Note that a listing was seen to be as it was."""
        self._seen_at[key] = at

    def seen_at(self, known: KnownListing) -> datetime:
        """Return when a listing was seen last."""
        return max(known.seen_at, self._seen_at.get((known.listing.bookmaker, known.listing.listing_id), known.seen_at))

    def links(self) -> Iterator[ListingLink]:
        """Iterate over the links made by hand."""
        return iter(tuple(self._links.values()))

    def link_of(self, key: ListingKey) -> ListingLink | None:
        """Return the link of a listing, or None."""
        return self._links.get(key)

    def link(self, link: ListingLink) -> None:
        """Take note of a link; listings follow it when they are matched next."""
        self._links[link.bookmaker, link.listing_id] = link

    def unlink(self, key: ListingKey) -> ListingLink | None:
        """Forget a link, and return it."""
        return self._links.pop(key, None)

    def as_linked(self, listing: Listing) -> Listing:
        """Return a listing with the SportRadar number that a link gives it, without one that a former link gave it."""
        link = self._links.get((listing.bookmaker, listing.listing_id))
        own = listing.own_sr_id if listing.linked else listing.sr_id
        if link is not None:
            return msgspec.structs.replace(listing, sr_id=link.sr_id, linked=True, own_sr_id=own)
        if listing.linked:
            return msgspec.structs.replace(listing, sr_id=own, linked=False, own_sr_id=None)
        return listing

    def listings_of(self, sr_id: int) -> Mapping[str, Listing]:
        """Return the listing of each bookmaker that offers the event now."""
        keys = self._by_event.get(sr_id, {})
        return MappingProxyType({bookmaker: self._listings[key].listing for bookmaker, key in keys.items()})

    def is_listed(self, sr_id: int, bookmaker: str, listing_id: str | None = None) -> bool:
        """Tell whether a bookmaker offers the event now, and under this listing if one is given."""
        key = self._by_event.get(sr_id, {}).get(bookmaker)
        return key is not None and (listing_id is None or key[1] == listing_id)

    def left(self) -> frozenset[tuple[int, str]]:
        """Return the (event, bookmaker) pairs whose listing is gone or has become another event's."""
        gone = {
            (known.listing.sr_id, known.listing.bookmaker)
            for known in self._listings.values()
            if known.gone_at is not None and known.listing.sr_id is not None
        }
        return frozenset(self._moved | gone)

    def put_event(self, event: Event) -> bool:
        """Enter an event; return whether it differs from before. That it is shown in play stays for its kick-off."""
        before = self._events.get(event.sr_id)
        if before is not None and not event.conflict and is_shown_in_play(before) and before.kickoff == event.kickoff:
            event = msgspec.structs.replace(event, conflict=before.conflict)
        if before == event:
            return False
        self._events[event.sr_id] = event
        self._revision += 1
        return True

    def note_phase(self, sr_id: int, bookmaker: str, at: datetime, *, live: bool) -> Event | None:
        """Note that a body received at `at` shows an event in play or not; return the event if that changes it.

        An event that somebody shows in play before its kick-off is in conflict until the same bookmaker shows it
        as not started.
        """
        event = self._events.get(sr_id)
        if event is None:
            return None
        told = bookmaker + _IN_PLAY
        if live and not event.conflict and at < event.kickoff:
            changed = msgspec.structs.replace(event, conflict=told)
        elif not live and event.conflict == told:
            changed = msgspec.structs.replace(event, conflict="")
        else:
            return None
        self._events[sr_id] = changed
        self._revision += 1
        return changed

    def put_listing(self, known: KnownListing) -> ListingWriteData | None:
        """Enter a listing; return what is to be written, None where only its last sight is newer."""
        key = (known.listing.bookmaker, known.listing.listing_id)
        before = self._listings.get(key)
        if before is not None:
            known = msgspec.structs.replace(known, first_seen_at=before.first_seen_at)
        self._listings[key] = known
        self._index(key, before, known)
        return None if before is not None and _same_fact(before, known) else listing_data(known)

    def drop_started(self, now: datetime, monotonic: float, grace: timedelta) -> tuple[int, ...]:
        """Forget what kicked off longer than `grace` ago; return the events' ids.

        The wall clock may be wrong for a while. So it must also have said for `grace` of monotonic time, at each
        call, that the kick-off has passed.
        """
        due = self._started.past(self._kickoffs(), now, monotonic, grace)
        started = tuple(sr_id for sr_id in due if isinstance(sr_id, int))
        self._revision += 1
        for sr_id in started:
            del self._events[sr_id]
            self._by_event.pop(sr_id, None)
        self._moved = {pair for pair in self._moved if pair[0] in self._events}
        for key in (key for key in due if not isinstance(key, int)):
            known = self._listings.pop(key)
            self._seen_at.pop(key, None)
            self._index(key, known, None)
        return started

    def _kickoffs(self) -> Iterator[tuple[int | ListingKey, datetime]]:
        yield from ((sr_id, event.kickoff) for sr_id, event in self._events.items())
        yield from ((key, known.listing.kickoff) for key, known in self._listings.items())

    def _index(self, key: ListingKey, before: KnownListing | None, after: KnownListing | None) -> None:
        if before is None or after is None or not _same_fact(before, after):
            self._revision += 1
        if before is not None and before.listing.sr_id is not None:
            rivals = self._by_event.get(before.listing.sr_id, {})
            if rivals.get(before.listing.bookmaker) == key:
                del rivals[before.listing.bookmaker]
                self._moved.add((before.listing.sr_id, before.listing.bookmaker))
        if after is None or after.listing.sr_id is None or after.duplicate or after.gone_at is not None:
            return
        self._by_event.setdefault(after.listing.sr_id, {})[after.listing.bookmaker] = key
        self._moved.discard((after.listing.sr_id, after.listing.bookmaker))


def update_book(book: EventRegister, events: Iterable[Event], listings: Iterable[KnownListing]) -> BookUpdate:
    """Enter events and listings, and return those that differ from before."""
    # The demoted go first: a duplicate that takes over must not be unseated by the entry it replaces.
    ranked = sorted(listings, key=lambda known: not (known.duplicate or known.gone_at is not None))
    written = [book.put_listing(known) for known in ranked]
    return BookUpdate(
        events=tuple(event for event in events if book.put_event(event)),
        listings=tuple(data for data in written if data is not None),
    )


def is_shown_in_play(event: Event) -> bool:
    """Tell whether a bookmaker shows the event in play before its kick-off."""
    return event.conflict.endswith(_IN_PLAY)


def _same_fact(before: KnownListing, after: KnownListing) -> bool:
    return (before.listing, before.gone_at, before.duplicate) == (after.listing, after.gone_at, after.duplicate)


def listing_data(known: KnownListing) -> ListingWriteData:
    """Return a listing as it is written."""
    return ListingWriteData(
        listing=known.listing, seen_at=known.seen_at, gone_at=known.gone_at, duplicate=known.duplicate
    )
