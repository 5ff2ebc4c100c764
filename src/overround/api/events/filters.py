"""Which events a client asks for, and by what they can be ordered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from overround.api.state import ApiState
from overround.records.event import Event
from overround.records.folding import folded


class Availability(StrEnum):
    """Who lists an event: anybody, every bookmaker, others but not the reference, the reference alone."""

    ANY = "any"
    ALL = "all"
    MISSING_REFERENCE = "missing_reference"
    ONLY_REFERENCE = "only_reference"


class EventSort(StrEnum):
    """What events are ordered by; a minus turns it round, and events without the figure come last either way.

    `kickoff`: soonest first. `moved`: the newest change of any price first. `margin`: the reference's lowest
    mean margin over the chosen markets first. `gap`: where the reference is furthest off the best price first.
    """

    KICKOFF = "kickoff"
    KICKOFF_LAST = "-kickoff"
    MARGIN = "margin"
    MARGIN_LAST = "-margin"
    GAP = "gap"
    GAP_LAST = "-gap"
    MOVED = "moved"
    MOVED_LAST = "-moved"


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What events must be like; what is empty or None does not matter. Kick-offs lie from `since` up to `until`."""

    text: str = ""
    sports: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    tournaments: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    availability: Availability = Availability.ANY
    in_play: bool | None = None


def matching_events(state: ApiState, wanted: EventFilter) -> list[Event]:
    """Return the events that a filter lets through, by kick-off."""
    words = folded(wanted.text).split()
    now = state.clock.now()
    found = [
        event
        for event in state.book.events()
        if _holds(event, words) and _facts_fit(event, wanted, now) and _availability_fits(state, event, wanted)
    ]
    found.sort(key=lambda event: (event.kickoff, event.sr_id))
    return found


def _holds(event: Event, words: Sequence[str]) -> bool:
    if not words:
        return True
    haystack = folded(f"{event.home} {event.away} {event.country} {event.tournament}")
    return all(word in haystack for word in words)


def _facts_fit(event: Event, wanted: EventFilter, now: datetime) -> bool:
    chosen = ((wanted.sports, event.sport), (wanted.countries, event.country), (wanted.tournaments, event.tournament))
    return (
        all(not allowed or fact in allowed for allowed, fact in chosen)
        and (wanted.since is None or event.kickoff >= wanted.since)
        and (wanted.until is None or event.kickoff < wanted.until)
        and (wanted.in_play is None or wanted.in_play is (event.kickoff <= now))
    )


def _availability_fits(state: ApiState, event: Event, wanted: EventFilter) -> bool:
    if wanted.availability is Availability.ANY:
        return True
    listed = state.book.listings_of(event.sr_id).keys()
    fits: Mapping[Availability, bool] = {
        Availability.ALL: listed >= state.bookmakers.keys(),
        Availability.MISSING_REFERENCE: state.reference not in listed,
        Availability.ONLY_REFERENCE: listed == {state.reference},
    }
    return fits[wanted.availability]
