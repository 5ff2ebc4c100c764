"""When a bookmaker may be asked: so many requests at once, so far apart, and not while it said "wait"."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from overround.errors import ThrottledError
from overround.ports import BookmakerOptions, Clock


class Turns:
    """Hands out places to make a request; a place is free again when its block ends, however it ends."""

    def __init__(self, slug: str, options: BookmakerOptions, clock: Clock, longest_hold: float) -> None:
        """Set the limits; beyond `longest_hold` seconds nobody waits for a bookmaker that said "wait"."""
        self._slug = slug
        self._clock = clock
        self._places = asyncio.Semaphore(options.concurrency)
        self._interval = options.min_interval_ms / 1000
        self._longest_hold = longest_hold
        self._next_start = clock.monotonic()
        self._held_until = self._next_start

    @asynccontextmanager
    async def take(self, subject: str) -> AsyncIterator[None]:
        """Wait for a place and for the time to start, and keep the place for the block.

        Raises:
            ThrottledError: the bookmaker asked for a longer wait than anybody waits; nothing was sent.
        """
        async with self._places:
            await self._wait_to_start(subject)
            yield

    def hold(self, seconds: float | None) -> None:
        """Start nothing for that long: what one request was told holds for all."""
        if seconds is not None:
            self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    async def _wait_to_start(self, subject: str) -> None:
        now = self._clock.monotonic()
        held = self._held_until - now
        if held > self._longest_hold:
            raise ThrottledError(self._slug, subject, f"not asked: told to wait {held:.0f} s", held)
        start = max(now, self._next_start, self._held_until)
        self._next_start = start + self._interval
        if start > now:
            await self._clock.sleep(start - now)
