"""The event loop's time that nobody needs."""

from collections.abc import Callable

from overround.clock import thread_seconds
from overround.ports import Clock

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
