"""Events, and the bookmakers' listings of them."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from overround.records.odds import Dropped, MarketKey, MarketPrices, Unmapped


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fixture, identified by its SportRadar match number.

    `conflict` says why its listings do not seem to be of one match; empty when they do.
    """

    sr_id: int
    sport: str
    home: str
    away: str
    kickoff: datetime
    country: str
    tournament: str
    conflict: str = ""


class Tournament(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmaker's league: its own id, and how it names it; `events` is the bookmaker's own count, or None."""

    id: str
    name: str
    country: str
    sport: str
    events: int | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a bookmaker offers an event, as it states it; identity is (bookmaker, listing_id).

    `linked`: the SportRadar number was set by hand; the bookmaker's own word on it, if any, is `own_sr_id` then.
    """

    bookmaker: str
    listing_id: str
    sr_id: int | None
    sport: str
    home: str
    away: str
    kickoff: datetime
    country: str
    tournament: str
    active: bool = True
    linked: bool = False
    own_sr_id: int | None = None


class ListingLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's word that a listing is of an event, with the reason.

    It holds for the match that the listing was of then: teams, tournament and the bookmaker's own number of it, if
    any. These are None in a link
    of a former version whose listing had left the event.
    """

    bookmaker: str
    listing_id: str
    sr_id: int
    reason: str
    linked_at: datetime
    home: str | None = None
    away: str | None = None
    tournament: str | None = None
    own_sr_id: int | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decoded, normalised single-event body.

    `complete`: the body is evidence that what it does not hold is not offered. `occurrences`: how many of
    the wire's markets, each with one line, are in `markets`, where one may be split among several keys;
    None: as many as there are keys. `body_hash` is empty where nobody has worked it out. `live`: the body says
    that the event has started, so that its prices belong to another series. `suspended`: nothing of the event can
    be bet on, whether the body holds the market or not.
    """

    listing: Listing
    markets: Mapping[MarketKey, MarketPrices]
    complete: bool
    unmapped: tuple[Unmapped, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    occurrences: int | None = None
    body_hash: bytes = b""
    live: bool = False
    suspended: bool = False


class LeagueListings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One list, or one page of it: a league's listings, or a whole sport's where a bookmaker pages through that.

    `league` is the list's label: all pages of one list carry the same one, and no other list of the bookmaker's
    sport does. `listed` counts the entries that came, `unreadable` those among them that could not be read,
    `unlisted` those that are known to exist and did not come, as beyond a limit. `stated` is the bookmaker's own
    count of the whole list, None where it states none.
    """

    bookmaker: str
    league: str
    listings: tuple[Listing, ...]
    dropped: tuple[Dropped, ...] = ()
    listed: int = 0
    unreadable: int = 0
    unlisted: int = 0
    stated: int | None = None

    @property
    def whole(self) -> bool:
        """Tell whether every entry came and could be read; only then can the list show that a listing is absent."""
        return not self.unreadable and not self.unlisted


class DiscoveryFailure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One discovery call that failed; `league` is the label of the list that it belongs to.

    A list of which a page failed shows no absence. The bookmaker's other lists are not affected.
    """

    bookmaker: str
    league: str
    error_class: str
    message: str
