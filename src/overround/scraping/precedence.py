"""Storing goes before reading: bodies wait to be decoded while a batch is on its way to the journal."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Precedence:
    """Lets bodies be read one at a time, and none while a batch is being stored.

    A store waits for the journal's disk; every body that is read meanwhile would make it wait longer for its
    turn of the event loop.
    """

    def __init__(self) -> None:
        self._stores = 0
        self._free = asyncio.Event()
        self._free.set()
        self._turn = asyncio.Lock()

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Keep bodies waiting for the time of a `with` block."""
        self._stores += 1
        self._free.clear()
        try:
            yield
        finally:
            self._stores -= 1
            if not self._stores:
                self._free.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Wait for the turn to read a body, and keep it for the block."""
        async with self._turn:
            await self._free.wait()
            yield
            await asyncio.sleep(0)  # the next body in another turn of the event loop: all at once, they keep it long
