"""Finds the units at fault in a failed write, without the database where possible, else by halving."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain

import msgspec

from overround.db.error_classes import CONTENT_ERRORS, Exit, classify
from overround.db.partitions import has_partition
from overround.errors import ContentError, DeadLetterRunError
from overround.records.batch import EventScrapeStatus, SnapshotWriteData
from overround.records.writing import StampedBatch
from overround.storage.packing import Load, Numbers, confirmation_columns, listing_columns, status_columns
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


def misplaced(batches: Iterable[StampedBatch]) -> ContentError | None:
    """Return an error if a batch holds a row for which there can be no partition."""
    placeable = all(
        all(has_partition(snapshot.captured_at) for snapshot in stamped.batch.snapshots)
        and all(has_partition(status.scraped_at) for status in stamped.batch.statuses)
        for stamped in batches
    )
    return None if placeable else ContentError("a time is naive or out of range")


def faults(units: Sequence[Unit], numbers: Numbers) -> dict[Unit, Exception]:
    """Return the units that cannot be encoded, each with the reason; takes 0.2 ms a snapshot."""
    return {unit: error for unit in units if (error := _fault(unit, numbers)) is not None}


def _fault(unit: Unit, numbers: Numbers) -> Exception | None:
    batches = regrouped((unit,))
    try:
        _encode(unit, batches, numbers)
    except (ValueError, TypeError, OverflowError) as error:
        return error
    return None


def _encode(unit: Unit, batches: Sequence[StampedBatch], numbers: Numbers) -> None:
    if (error := misplaced(batches)) is not None:
        raise error
    if isinstance(unit.content, SnapshotWriteData):
        load = Load(batches, numbers)
        for _ in chain(load.history(), load.latest()):
            pass
    elif isinstance(unit.content, EventScrapeStatus):
        status_columns(batches, numbers)
    else:
        listing_columns(batches, numbers)
        confirmation_columns(batches, numbers)
