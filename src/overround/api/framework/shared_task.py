"""Costly answers: whoever asks while one is being made gets that one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedTask(Generic[T]):
    """Makes something at most once at a time."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._under_way: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return what is made now; raises what making it raises."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._made(), name="flight")
        # Whoever waits may be gone before the others are.
        return await asyncio.shield(self._under_way)

    async def _made(self) -> T:
        return await self._make()
