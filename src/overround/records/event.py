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
    """A bookmaker's league: its own id, and how it names it."""

    id: str
    name: str
    country: str
    sport: str


class Listing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a bookmaker offers an event, as it states it; identity is (bookmaker, listing_id).

    `linked`: the SportRadar number was set by hand, whatever the bookmaker's own word on it.
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


class ListingLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's word that a listing is of an event, with the reason."""

    bookmaker: str
    listing_id: str
    sr_id: int
    reason: str
    linked_at: datetime


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decoded, normalised single-event body.

    `complete`: the body is evidence that what it does not hold is not offered. `occurrences`: how many of
    the wire's markets, each with one line, are in `markets`, where one may be split among several keys;
    None: as many as there are keys. `body_hash` is empty where nobody has worked it out.
    """

    listing: Listing
    markets: Mapping[MarketKey, MarketPrices]
    complete: bool
    unmapped: tuple[Unmapped, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    occurrences: int | None = None
    body_hash: bytes = b""


class LeagueListings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer of one discovery call: all listings of one league, or of one page."""

    bookmaker: str
    league: str
    listings: tuple[Listing, ...]
    dropped: tuple[Dropped, ...] = ()


class DiscoveryFailure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One discovery call that failed; the other leagues of the bookmaker are not affected."""

    bookmaker: str
    league: str
    error_class: str
    message: str
