"""A bounded table of a function's results."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(dict[K, V], Generic[K, V]):
    """A function's results by argument; forgets everything when it holds `limit` of them.

    Bookmakers repeat a few thousand texts for ever, and an unbounded table would grow with every odd one.
    """

    def __init__(self, make: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, argument: K) -> V:
        """Work the result out and keep it; what `make` raises is not kept."""
        result = self._make(argument)
        if len(self) >= self._limit:
            self.clear()
        self[argument] = result
        return result
