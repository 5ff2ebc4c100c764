"""Encodes events before a client asks, in the event loop's spare time.

An event with all its markets takes some milliseconds to write, once; after that only what changes of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from overround.api.events.desk import EventDesk
from overround.api.events.filters import EventFilter
from overround.api.events.fragments import ALL_MARKETS
from overround.clock import thread_seconds
from overround.ports import Clock
from overround.records.event import Event

_REST = 0.005  # seconds
_BUSY = 0.5


class SpareTime:
    """Gives turns to work that can wait: one after each rest that the event loop's thread mostly spent waiting.

    It looks at the thread's processor time, not at how late a timer comes: on a machine with other things to do an
    idle loop is late too, and a busy one is on time often enough. `worked` returns that time in seconds.
    """

    def __init__(self, clock: Clock, worked: Callable[[], float] = thread_seconds) -> None:
        self._clock = clock
        self._worked = worked

    async def turn(self) -> None:
        """Wait until there has been a rest."""
        idle = False
        while not idle:
            start, worked = self._clock.monotonic(), self._worked()
            await self._clock.sleep(_REST)
            idle = self._worked() - worked < _BUSY * (self._clock.monotonic() - start)


_PERIOD = 5.0  # seconds
_AT_A_TIME = 50  # events that are looked at before others have their turn
_EVERY = EventFilter()

_log = structlog.get_logger(__name__)


class EventEncoder:
    """Goes over all events again and again, the next to kick off first, and encodes those that are not as kept.

    `rounds` counts the rounds to their end, `encoded` the events that the last of them had to encode.
    """

    def __init__(self, desk: Callable[[], EventDesk], clock: Clock, spare: SpareTime) -> None:
        self.rounds = 0
        self.encoded = 0
        self._desk = desk
        self._clock = clock
        self._spare = spare

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Encode during the block."""
        task = asyncio.create_task(self._run(), name="event-encoder")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def round(self) -> None:
        """Look at every event once."""
        desk = self._desk()
        desk.forget_gone()
        encoded = 0
        for index, event in enumerate(desk.find(_EVERY)):
            if desk.behind(event, ALL_MARKETS):
                await self._encode(desk, event)
                encoded += 1
            elif not index % _AT_A_TIME:
                await self._clock.sleep(0)
        self.rounds += 1
        self.encoded = encoded

    async def _run(self) -> None:
        while True:
            await self.round()
            await self._clock.sleep(_PERIOD)

    async def _encode(self, desk: EventDesk, event: Event) -> None:
        await self._spare.turn()
        try:
            await desk.prepare(event, ALL_MARKETS, self._spare.turn)
            desk.fragment(event, ALL_MARKETS)  # what is little, and what has changed meanwhile
        except Exception as error:  # noqa: BLE001 - supervision point: one bad event never costs the others
            _log.error("event_encoding_failed", sr_id=event.sr_id, error=repr(error))
