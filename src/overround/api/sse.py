"""Answers that go on until one side ends them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import structlog
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from overround.api.connections import mark_streamed
from overround.errors import TooManyStreamsError

_SEND_TIMEOUT = 60.0  # seconds: a client that takes nothing for so long is not there any more
_FAREWELL = 1.0  # seconds

_log = structlog.get_logger(__name__)


class Seats:
    """The places for clients of live streams; a client has its place before anything of its answer is awaited."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0
        self.refused = 0

    def refuse_beyond_limit(self) -> None:
        """Refuse a client where no place is free.

        Raises:
            TooManyStreamsError: as many clients are there as may be.
        """
        if self.taken >= self._most:
            self.refused += 1
            raise TooManyStreamsError(self._most)

    @contextmanager
    def one_taken(self) -> Iterator[None]:
        """Take a place for the block."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


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
