"""Events with prices, from the cache."""

from typing import Annotated

from fastapi import APIRouter, Query

from overround.api.event_schemas import EventPage, EventView
from overround.api.event_views import DEFAULT_MARKETS, event_view, matching_events, parse_markets
from overround.api.problems import Problem
from overround.api.state import State
from overround.errors import UnknownEventError

MAX_LIMIT = 200

router = APIRouter(prefix="/api/events", tags=["events"])


@router.get("")
async def list_events(
    state: State,
    text: Annotated[str, Query(max_length=200, description="words of teams, country or tournament")] = "",
    markets: Annotated[str, Query(max_length=2000, examples=["match_result,total_goals:line=2.5"])] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> EventPage:
    """Return events by kick-off, with all bookmakers' prices of the chosen markets."""
    found = matching_events(state, text)
    keys = parse_markets(markets) or DEFAULT_MARKETS
    page = found[offset : offset + limit]
    return EventPage(
        total=len(found), limit=limit, offset=offset, events=[event_view(state, event, keys) for event in page]
    )


@router.get("/{sr_id}", responses={404: {"model": Problem}})
async def read_event(state: State, sr_id: int) -> EventView:
    """Return one event with every market that any bookmaker has."""
    event = state.book.event(sr_id)
    if event is None:
        raise UnknownEventError(sr_id)
    return event_view(state, event, None)
