"""The live streams: prices as the journal gets them, and how scrape runs go."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from overround.api.event_query import Names, parse_markets
from overround.api.problems import Problem
from overround.api.progress_board import Board
from overround.api.security import CurrentAccess, CurrentGuard
from overround.api.sse import EventStream
from overround.api.stream_desk import Streams
from overround.api.stream_json import StreamFilter

router = APIRouter(tags=["streams"])

_LONGEST_CURSOR: Final = 100
_PING: Final = 15  # seconds

Allowed = Callable[[], bool]

_STREAM: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "Messages until one side ends it; docs/streams.md has their shapes",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    422: {"model": Problem},
    503: {"model": Problem},
}


def _wanted(
    events: Annotated[
        str,
        Query(max_length=8000, pattern=r"^(\d{1,18}(,\d{1,18})*)?$", description="event ids, with commas between"),
    ] = "",
    country: Annotated[Names, Query(description="any of these")] = (),
    tournaments: Annotated[Names, Query(description="any of these")] = (),
    markets: Annotated[str, Query(max_length=2000, description="market keys, with commas between; none: all")] = "",
) -> StreamFilter:
    return StreamFilter(
        events=frozenset(map(int, filter(None, events.split(",")))),
        countries=frozenset(country),
        tournaments=frozenset(tournaments),
        markets=frozenset(parse_markets(markets)) or None,
    )


def _place(
    cursor: Annotated[str, Query(max_length=_LONGEST_CURSOR, description="go on behind this place")] = "",
    last_event_id: Annotated[str, Header(max_length=_LONGEST_CURSOR, description="goes before `cursor`")] = "",
) -> str:
    return last_event_id or cursor


def _valid(access: CurrentAccess, guard: CurrentGuard) -> Allowed:
    """Return what tells whether the key with which a stream was asked for is still valid."""
    key = access.key
    return lambda: key is None or guard.keys.get(key.id) is not None


Place = Annotated[str, Depends(_place)]
StillValid = Annotated[Allowed, Depends(_valid)]


@router.get("/api/stream", response_class=Response, response_model=None, responses={**_STREAM})
async def follow_prices(
    request: Request,
    streams: Streams,
    board: Board,
    wanted: Annotated[StreamFilter, Depends(_wanted)],
    place: Place,
    allowed: StillValid,
) -> EventStream:
    """Follow prices: all of them first, then each change once the journal has it. See docs/streams.md."""
    streams.refuse_beyond_limit(board.clients)
    return EventStream(streams.messages(wanted, place, allowed), request.app.state.stopping)


@router.get("/api/scrape/progress", response_class=Response, response_model=None, responses={**_STREAM})
async def follow_runs(
    request: Request, board: Board, streams: Streams, place: Place, allowed: StillValid
) -> EventStream:
    """Follow the scrape runs: how far they are, with counts and times by bookmaker. See docs/streams.md."""
    streams.refuse_beyond_limit(board.clients)
    return EventStream(board.messages(place, allowed), request.app.state.stopping, ping=_PING)
