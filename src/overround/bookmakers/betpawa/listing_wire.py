"""BetPawa's discovery answers, as `categories/list/{sport}` and `events/lists/by-queries` send them.

Version 3 sends nulls, version 4 leaves them out; counts come as numbers or as digit strings.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from overround.bookmakers.kit.sports import read_sport_ids

SPORT_IDS: Final = read_sport_ids(__package__)
PREFIX = "/api/sportsbook/"

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Named(msgspec.Struct, frozen=True):
    """A sport, region or competition."""

    id: str
    name: str | None = ""


class EventCounts(msgspec.Struct, frozen=True):
    """How many events a competition has."""

    upcoming: int = 0
    live: int = 0


class CompetitionEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A competition of a region."""

    competition: Named
    event_counts: EventCounts | None = None


class RegionEntry(msgspec.Struct, frozen=True):
    """A region of a sport, and its competitions, which are read one by one."""

    region: Named | None = None
    competitions: tuple[msgspec.Raw, ...] | None = None


class SportEntry(msgspec.Struct, frozen=True):
    """A sport, and its regions, which are read one by one."""

    category: Named | None = None
    regions: tuple[msgspec.Raw, ...] | None = None


class CategoriesAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `categories/list/{sport}`; a sport without regions leaves `with_regions` out."""

    with_regions: tuple[msgspec.Raw, ...] | None = None


class Widget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data provider's id of the match: SPORTRADAR or GENIUSSPORTS."""

    id: str | None
    type: str | None
    retention: str | None = None


class Participant(msgspec.Struct, frozen=True):
    """A team: position 1 is at home."""

    name: str | None
    position: int
    id: str | None = None


class ListEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An event without its markets; a detail body holds the same fields. Lists may lack `widgets`."""

    id: str
    participants: tuple[Participant, ...]
    start_time: _Instant
    category: Named
    region: Named
    competition: Named
    name: str | None = None
    widgets: tuple[Widget, ...] | None = None


class ListResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one query; nothing found leaves `responses` out."""

    responses: tuple[msgspec.Raw, ...] | None = None


class ListAnswer(msgspec.Struct, frozen=True):
    """The answer of `events/lists/by-queries`: one element for each query, and we make one at a time."""

    responses: Annotated[tuple[ListResponse, ...], msgspec.Meta(min_length=1)]


class Zones(msgspec.Struct, frozen=True):
    """Where to look; empty is everywhere."""

    competitions: tuple[str, ...] = ()


class EventQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which events."""

    event_type: str
    categories: tuple[str, ...]
    zones: Zones = Zones()
    has_odds: bool = True


class View(msgspec.Struct, frozen=True):
    """Which markets to embed: none."""


class Sort(msgspec.Struct, frozen=True, rename="camel"):
    """The order of the events."""

    start_time: str = "ASC"


class PagedQuery(msgspec.Struct, frozen=True):
    """One query of a by-queries call."""

    query: EventQuery
    skip: int
    take: int
    view: View = View()
    sort: Sort = Sort()


class Queries(msgspec.Struct, frozen=True):
    """The parameter `q` of a by-queries call."""

    queries: tuple[PagedQuery, ...]
