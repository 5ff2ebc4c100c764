"""Finds the units at fault in a failed write, without the database where possible, else by halving."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from overround.db.error_classes import CONTENT_ERRORS, Exit, classify
from overround.db.partitions import has_partition
from overround.errors import ContentError, DeadLetterRunError
from overround.records.batch import EventScrapeStatus, SnapshotWriteData
from overround.records.writing import StampedBatch
from overround.storage.packing import Load, Numbers, confirmation_columns, listing_columns, status_columns
from overround.storage.units import Unit, blamed, regrouped

Attempt = Callable[[Sequence[StampedBatch]], Awaitable[None]]

_FEW = 20
_PERCENT = 5


class Poison(msgspec.Struct, frozen=True, eq=False):
    """A unit that cannot be written, and the reason."""

    unit: Unit
    error: Exception


class Allowances:
    """How many units of each bookmaker may fail for their content.

    A bookmaker's allowance are 20 units, or 5 % of the units among which they were, since its last transaction without
    any. Units that are of no bookmaker share one allowance.
    """

    def __init__(self) -> None:
        self._units: Counter[str] = Counter()
        self._dead: Counter[str] = Counter()

    def of(self, units: Mapping[str, int]) -> Callable[[str], int]:
        """Return how many units of a bookmaker may be put aside in a transaction with so many of each."""

        def allowed(bookmaker: str) -> int:
            seen = self._units[bookmaker] + units.get(bookmaker, 0)
            return max(_FEW, seen * _PERCENT // 100) - self._dead[bookmaker]

        return allowed

    def committed(self, units: Mapping[str, int], dead: Mapping[str, int]) -> None:
        """Count a transaction."""
        for bookmaker, count in units.items():
            if dead.get(bookmaker):
                self._units[bookmaker] += count
            else:
                self.forget(bookmaker)
        self._dead.update(dead)

    def forget(self, bookmaker: str) -> None:
        """Begin a bookmaker's allowance again."""
        self._units.pop(bookmaker, None)
        self._dead.pop(bookmaker, None)


class Search:
    """Writes the units that can be written, in their order, and collects the others.

    One unit at fault among n takes, after the try that failed, at most log2 n tries to find, rounded
    up, and one for the units after it. Each try that succeeds stays written. Once a bookmaker is beyond its allowance,
    its units that were not tried yet are collected in `spared`; two such bookmakers end the search.
    """

    def __init__(self, attempt: Attempt, allowed: Callable[[str], int], beyond: Collection[str] = ()) -> None:
        """Search with an `attempt` that writes batches together or leaves no trace of them.

        `allowed` returns a bookmaker's allowance. `beyond` are bookmakers that were found beyond theirs a moment ago.
        """
        self._attempt = attempt
        self._allowed = allowed
        self._before = frozenset(beyond)
        self.poison: list[Poison] = []
        self.spared: list[Unit] = []
        self.dead: Counter[str] = Counter()
        self.beyond: dict[str, Poison] = {}
        self.tries = 0

    async def isolate(self, units: Sequence[Unit], error: Exception | None) -> None:
        """Write all units that can be written, given the error with which they fail together.

        Raises:
            DeadLetterRunError: too many cannot.
            Whatever an attempt raises that is not about its units' content.
        """
        while error is not None:
            position, error = await self._first(units, error)
            self.put_aside([Poison(units[position], error)])
            units = self.not_spared(units[position + 1 :])
            error = await self.failure(regrouped(units))

    def not_spared(self, units: Sequence[Unit]) -> Sequence[Unit]:
        """Return the units that are still to be tried; those of bookmakers beyond their allowance are spared."""
        if not self.beyond:
            return units
        self.spared.extend(unit for unit in units if unit.bookmaker in self.beyond)
        return [unit for unit in units if unit.bookmaker not in self.beyond]

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
        """Collect units that cannot be written.

        Raises:
            DeadLetterRunError: too many bookmakers are beyond their allowance, or units of no bookmaker are.
        """
        for one in poison:
            self.poison.append(one)
            if one.unit.placed.retried:
                continue
            bookmaker = blamed(one.unit)
            self.dead[bookmaker] += 1
            if self.dead[bookmaker] > self._allowed(bookmaker):
                self.beyond.setdefault(bookmaker, one)
        if self.beyond and ("" in self.beyond or len(self.beyond.keys() | self._before) > 1):
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
