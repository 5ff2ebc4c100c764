"""What all clients of the live stream share: the written messages, the heartbeat, the figures."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Request

from overround.api.state import ApiState
from overround.errors import TooManyStreamsError
from overround.streaming.client import Beat, StreamClient, StreamFigures
from overround.streaming.market_json import MarketWriter
from overround.streaming.messages import StreamFilter, StreamWriter

_PERIOD = 5.0  # seconds
_RETRY = b"retry: 2000\n\n"  # milliseconds after which a browser comes back


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


class StreamDesk:
    """Serves clients from the running parts until the service is to stop."""

    def __init__(self, state: ApiState, stopping: asyncio.Event) -> None:
        self.figures = StreamFigures()
        self.seats = Seats(state.descriptors.streams)
        self._state = state
        self._hub = state.stream
        self._stopping = stopping
        self._writer = StreamWriter(self._hub, self._market_writer())
        self._beat = self._beaten(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send heartbeats during the block, and take over what the cache is filled with."""
        tasks = [asyncio.create_task(one(), name=one.__name__) for one in (self._beating, self._seeding, self._waking)]
        with self._state.progress.listening(self._hub.hear):
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def messages(self, wanted: StreamFilter, cursor: str, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yield what to send to a client, as long as it is allowed to have it."""
        self.figures.clients += 1
        try:
            with self._hub.followed():
                self._admit_newcomers()
                client = StreamClient(self._hub, self._writer, wanted, self.figures)
                yield _RETRY + client.start(cursor)
                async for text in self._following(client, allowed):
                    self.figures.bytes += len(text)
                    yield text
        finally:
            self.figures.clients -= 1

    async def _following(self, client: StreamClient, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        while allowed() and not self._stopping.is_set():
            moved = self._hub.log.moved  # before looking: what happens in between sets this one
            text = client.next(self._beat)
            if text:
                yield text
            if text is None:
                await moved.wait()
            else:
                await self._state.clock.sleep(0)

    def _admit_newcomers(self) -> None:
        """Give every client a new image where a bookmaker has joined."""
        if len(self._writer.slugs) != len(self._state.bookmakers):
            self._writer.renew(self._market_writer())
            self._hub.renew()

    def _market_writer(self) -> MarketWriter:
        state = self._state
        return MarketWriter(state.catalogue, state.bookmakers, state.covered, state.reference)

    async def _beating(self) -> None:
        while True:
            await self._state.clock.sleep(_PERIOD)
            self._admit_newcomers()
            self._beat = self._beaten(self._beat.number + 1)
            self._hub.log.wake()

    async def _seeding(self) -> None:
        """Take over the cache as it is, and anew each time it has been filled: from the journal, the database."""
        fillings = (self._state.catch_up.done, self._state.warm)
        to_come = [filling for filling in fillings if not filling.is_set()]
        if len(to_come) < len(fillings):
            self._hub.seed(self._state.cache)
        for filling in to_come:
            await filling.wait()
            self._hub.seed(self._state.cache)

    async def _waking(self) -> None:
        await self._stopping.wait()
        self._hub.log.wake()

    def _beaten(self, number: int) -> Beat:
        state = self._state
        good = {slug: self._last_good_at(slug) for slug in state.bookmakers}
        return Beat(number=number, bookmakers=good)

    def _last_good_at(self, slug: str) -> datetime | None:
        return self._state.fetchers[slug].statistics.figures().last_success_at or self._hub.newest.get(slug)


def _streams(request: Request) -> StreamDesk:
    return cast("StreamDesk", request.app.state.streams)


Streams = Annotated[StreamDesk, Depends(_streams)]
