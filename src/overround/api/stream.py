"""The live stream: prices as the journal gets them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from overround.api.event_query import Names, parse_markets
from overround.api.problems import Problem
from overround.api.security import CurrentAccess, CurrentGuard
from overround.api.sse import EventStream
from overround.api.stream_desk import Streams
from overround.api.stream_json import StreamFilter

router = APIRouter(prefix="/api/stream", tags=["streams"])

_LONGEST_CURSOR: Final = 100
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
    tournaments: Annotated[Names, Query(description="any of these")] = (),
    markets: Annotated[str, Query(max_length=2000, description="market keys, with commas between; none: all")] = "",
) -> StreamFilter:
    return StreamFilter(
        events=frozenset(map(int, filter(None, events.split(",")))),
        tournaments=frozenset(tournaments),
        markets=frozenset(parse_markets(markets)) or None,
    )


def _place(
    cursor: Annotated[str, Query(max_length=_LONGEST_CURSOR, description="go on behind this place")] = "",
    last_event_id: Annotated[str, Header(max_length=_LONGEST_CURSOR, description="goes before `cursor`")] = "",
) -> str:
    return last_event_id or cursor


@router.get("", response_class=Response, response_model=None, responses={**_STREAM})
async def follow_prices(
    request: Request,
    streams: Streams,
    access: CurrentAccess,
    guard: CurrentGuard,
    wanted: Annotated[StreamFilter, Depends(_wanted)],
    place: Annotated[str, Depends(_place)],
) -> EventStream:
    """Follow prices: all of them first, then each change once the journal has it. See docs/streams.md."""
    streams.refuse_beyond_limit()

    def allowed() -> bool:
        """Tell whether the key with which the stream was asked for is still valid."""
        return access.key is None or guard.keys.get(access.key.id) is not None

    return EventStream(streams.messages(wanted, place, allowed), request.app.state.stopping)
