"""Events with prices, from the cache."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from overround.api.event_filters import Availability, EventFilter, EventSort, matching_events
from overround.api.event_schemas import EventPage, EventView
from overround.api.event_views import DEFAULT_MARKETS, event_view, parse_markets
from overround.api.problems import Problem
from overround.api.state import State
from overround.errors import UnknownEventError

MAX_LIMIT = 200
_MOST_NAMES = 100

Names = Annotated[list[str] | None, Query(max_length=_MOST_NAMES)]

router = APIRouter(prefix="/api/events", tags=["events"])


def _facts(sport: Names = None, country: Names = None, tournament: Names = None) -> EventFilter:
    return EventFilter(
        sports=frozenset(sport or ()), countries=frozenset(country or ()), tournaments=frozenset(tournament or ())
    )


def _filter(
    facts: Annotated[EventFilter, Depends(_facts)],
    text: Annotated[str, Query(max_length=200, description="words of teams, country or tournament")] = "",
    since: Annotated[AwareDatetime | None, Query(alias="from", description="kick-off at or after")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="kick-off before")] = None,
    availability: Availability = Availability.ANY,
    in_play: Annotated[bool | None, Query(description="only events that have, or have not, kicked off")] = None,
) -> EventFilter:
    return EventFilter(
        text=text,
        sports=facts.sports,
        countries=facts.countries,
        tournaments=facts.tournaments,
        since=since,
        until=until,
        availability=availability,
        in_play=in_play,
    )


@router.get("")
async def list_events(
    state: State,
    wanted: Annotated[EventFilter, Depends(_filter)],
    sort: EventSort = EventSort.KICKOFF,
    markets: Annotated[str, Query(max_length=2000, examples=["match_result,total_goals:line=2.5"])] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> EventPage:
    """Return events with all bookmakers' prices of the chosen markets."""
    found = matching_events(state, wanted, sort)
    keys = parse_markets(markets) or DEFAULT_MARKETS
    page = found[offset : offset + limit]
    return EventPage(
        total=len(found),
        limit=limit,
        offset=offset,
        now=state.clock.now(),
        events=[event_view(state, event, keys) for event in page],
    )


@router.get("/{sr_id}", responses={404: {"model": Problem}})
async def read_event(state: State, sr_id: int) -> EventView:
    """Return one event with every market that any bookmaker has."""
    event = state.book.event(sr_id)
    if event is None:
        raise UnknownEventError(sr_id)
    return event_view(state, event, None)
