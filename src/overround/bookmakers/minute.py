"""How many requests a bookmaker gets in a minute."""

from collections import deque

SECONDS = 60.0
_MOST = 100_000  # remembered at most; the largest budget that the settings allow


class MinuteBudget:
    """Spaces requests so that no 60 seconds have more starts than the budget; without one it only counts."""

    def __init__(self, budget: int | None) -> None:
        self.budget = budget
        self._starts: deque[float] = deque(maxlen=2 * _MOST)

    def reserve(self, start: float, now: float) -> float:
        """Return the earliest time from `start` on that the budget allows, which is taken then.

        Times are of a monotonic clock; no `start` may be before the time returned last.
        """
        self._forget(now)
        if self.budget is not None and len(self._starts) >= self.budget:
            start = max(start, self._starts[-self.budget] + SECONDS)
        self._starts.append(start)
        return start

    def used(self, now: float) -> int:
        """Return how many requests started in the last 60 seconds."""
        self._forget(now)
        return sum(start <= now for start in self._starts)

    def _forget(self, now: float) -> None:
        while self._starts and self._starts[0] <= now - SECONDS:
            self._starts.popleft()
