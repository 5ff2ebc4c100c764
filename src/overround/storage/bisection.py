"""Which units of a failed write are at fault: found by halving, so that all others are written."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from overround.db.error_classes import CONTENT_ERRORS, Exit, classify
from overround.errors import DeadLetterRunError
from overround.records.writing import StampedBatch
from overround.storage.units import Unit, regrouped

Attempt = Callable[[Sequence[StampedBatch]], Awaitable[None]]

_FEW = 20
_PERCENT = 5


class Poison(msgspec.Struct, frozen=True, eq=False):
    """A unit that cannot be written, and the reason."""

    unit: Unit
    error: Exception


class LetterRun:
    """The dead letters since the last transaction without any.

    More than 20, and more than 5 % of the units among which they were, are too many: then the
    content is not at fault, and the writer pauses instead of emptying the queue into the dead letters.
    """

    def __init__(self) -> None:
        self._units = 0
        self._dead = 0

    def allowed(self, units: int) -> int:
        """Return how many of that many units may be put aside."""
        return max(_FEW, (self._units + units) * _PERCENT // 100) - self._dead

    def committed(self, units: int, dead: int) -> None:
        """Count a transaction."""
        self._units, self._dead = (self._units + units, self._dead + dead) if dead else (0, 0)


class Search:
    """Writes the units that can be written, in their order, and collects the others.

    One unit at fault among n takes, after the try that failed, at most log2 n tries to find, rounded
    up, and one for what follows it. Each try that succeeds stays written.
    """

    def __init__(self, attempt: Attempt, allowed: int) -> None:
        """Search with an `attempt` that writes batches together or leaves no trace of them."""
        self._attempt = attempt
        self._allowed = allowed
        self.poison: list[Poison] = []
        self.tries = 0

    @property
    def new_poison(self) -> int:
        """Return how many units were put aside that do not come from the dead letters."""
        return sum(not one.unit.placed.retried for one in self.poison)

    async def isolate(self, units: Sequence[Unit], error: Exception | None) -> None:
        """Write all units that can be written, given the error with which they fail together.

        Raises:
            DeadLetterRunError: too many cannot.
            Whatever an attempt raises that is not about its units' content.
        """
        while error is not None:
            position, error = await self._first(units, error)
            self.put_aside([Poison(units[position], error)])
            units = units[position + 1 :]
            error = await self.failure(regrouped(units))

    async def failure(self, batches: Sequence[StampedBatch]) -> Exception | None:
        """Write the batches; return the error if their content prevents it."""
        if not batches:
            return None
        self.tries += 1
        try:
            await self._attempt(batches)
        except CONTENT_ERRORS as error:
            if classify(error) is not Exit.BISECT:
                raise
            return error
        return None

    def put_aside(self, poison: Iterable[Poison]) -> None:
        """Collect what cannot be written.

        Raises:
            DeadLetterRunError: that makes too many.
        """
        before = len(self.poison)
        self.poison.extend(poison)
        if len(self.poison) > before and self.new_poison > self._allowed:
            last = self.poison[-1].error
            raise DeadLetterRunError(f"too much fails for its content, at last with {type(last).__name__}: {last}")

    async def _first(self, units: Sequence[Unit], error: Exception) -> tuple[int, Exception]:
        """Write the units before the first that cannot be; return its position and its error."""
        low, high = 0, len(units)
        while high - low > 1:
            middle = (low + high) // 2
            failure = await self.failure(regrouped(units[low:middle]))
            if failure is None:
                low = middle
            else:
                high, error = middle, failure
        return low, error
