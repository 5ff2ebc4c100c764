"""The live streams over HTTP: prices as the journal has them, and the progress of scrape runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from overround.api.events.query import Names, parse_markets
from overround.api.framework.connections import mark_streamed
from overround.api.framework.problems import Problem
from overround.api.framework.security import CurrentAccess, CurrentGuard
from overround.api.scrape.progress_board import Board
from overround.api.streams.desk import Seats, Streams
from overround.streaming.messages import StreamFilter

_SEND_TIMEOUT = 60.0  # seconds: a client that takes nothing for so long is not there any more
_FAREWELL = 1.0  # seconds

_log = structlog.get_logger(__name__)


class _ServiceStops(Exception):  # noqa: N818 - no error: it ends a group of tasks
    """The service stops while a client does not take what was sent to it."""


class EventStream(EventSourceResponse):
    """A stream of messages that are bytes already; it ends with its source, or shortly after the service is to stop.

    `ping` is after how many seconds a comment is sent; 0 for a source that has heartbeats of its own.
    """

    def __init__(self, messages: AsyncIterator[bytes], stopping: asyncio.Event, seats: Seats, ping: int = 0) -> None:
        super().__init__(messages, ping=ping, send_timeout=_SEND_TIMEOUT, data_sender_callable=self._end_with_service)
        self._stopping = stopping
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        mark_streamed(scope)
        try:
            with self._seats.one_taken():
                await super().__call__(scope, receive, send)
        except _ServiceStops:
            _log.info("stream_cut", path=scope["path"], reason="the service stops")
        except SendTimeoutError:
            _log.info("stream_cut", path=scope["path"], reason="the client takes nothing")

    async def _end_with_service(self) -> None:
        await self._stopping.wait()
        await asyncio.sleep(_FAREWELL)
        raise _ServiceStops


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
    wanted: Annotated[StreamFilter, Depends(_wanted)],
    place: Place,
    allowed: StillValid,
) -> EventStream:
    """Follow prices: all of them first, then each change once the journal has it. See docs/streams.md."""
    streams.seats.refuse_beyond_limit()
    return EventStream(streams.messages(wanted, place, allowed), request.app.state.stopping, streams.seats)


@router.get("/api/scrape/progress", response_class=Response, response_model=None, responses={**_STREAM})
async def follow_runs(
    request: Request, board: Board, streams: Streams, place: Place, allowed: StillValid
) -> EventStream:
    """Follow the scrape runs: how far they are, with counts and times by bookmaker. See docs/streams.md."""
    streams.seats.refuse_beyond_limit()
    return EventStream(board.messages(place, allowed), request.app.state.stopping, streams.seats, ping=_PING)
