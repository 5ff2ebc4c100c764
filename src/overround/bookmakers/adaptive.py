"""How many requests at once a bookmaker bears: a little more with each answer, half after a complaint."""

from overround.bookmakers.outcome import Outcome


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, from 1 to the configured limit.

    Requests carry the generation in which they started. A complaint begins a new one, so that many
    complaints about one burst halve once, and answers to that burst do not speed up again.
    """

    def __init__(self, limit: int) -> None:
        """Begin with all of the limit: nothing speaks against it yet."""
        self.limit = limit
        self.generation = 0
        self._window = float(limit)

    @property
    def allowed(self) -> int:
        """Return how many requests may be under way."""
        return int(self._window)

    def set_limit(self, limit: int) -> None:
        """Change the limit; a bookmaker that bore all of the old one may have all of the new one at once."""
        unhindered = self._window >= self.limit
        self.limit = limit
        self._window = float(limit) if unhindered else min(self._window, float(limit))

    def ended(self, generation: int, outcome: Outcome) -> None:
        """Take into account how a request of a generation ended."""
        if generation != self.generation:
            return
        if outcome is Outcome.ANSWERED:
            # One more for as many answers as are allowed at once.
            self._window = min(float(self.limit), self._window + 1 / self._window)
        elif outcome is Outcome.COMPLAINED:
            self._shrink(self._window / 2)

    def restart(self) -> None:
        """Begin again with one at a time."""
        self._shrink(1.0)

    def _shrink(self, window: float) -> None:
        self._window = max(1.0, window)
        self.generation += 1
