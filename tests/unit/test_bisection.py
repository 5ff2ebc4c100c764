import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.errors import ContentError, DeadLetterRunError
from overround.records.writing import StampedBatch
from overround.storage.bisection import LetterRun, Search
from overround.storage.units import Placed, Unit, units_of
from tests.integration.write_data import MINUTE, NOON, batch, snapshot

WITHOUT_LIMIT = 10_000


def units(count: int, a_batch: int = 7) -> list[Unit]:
    """Return units of batches that hold some snapshots each; a unit's number is its event."""
    numbers = range(count)
    batches = [
        batch(*(snapshot(NOON + MINUTE, sr_id=number) for number in numbers[start : start + a_batch]))
        for start in range(0, count, a_batch)
    ]
    placed = [Placed(at, StampedBatch(epoch=1, seq=at, batch=one)) for at, one in enumerate(batches)]
    return units_of(placed)


class Table:
    """What refuses certain units, and keeps the others in the order of their writing."""

    def __init__(self, poison: set[int]) -> None:
        self.poison = poison
        self.written: list[int] = []

    async def write(self, batches: Sequence[StampedBatch]) -> None:
        """Write all of the batches, or nothing."""
        numbers = [one.sr_id for stamped in batches for one in stamped.batch.snapshots]
        if refused := [number for number in numbers if number in self.poison]:
            raise ContentError(f"refused: {refused[0]}")
        self.written += numbers


async def searched(count: int, poison: set[int], allowed: int = WITHOUT_LIMIT) -> tuple[Table, Search]:
    """Return a table and the search that wrote to it, the first try of everything included."""
    table = Table(poison)
    search = Search(table.write, allowed)
    work = units(count)
    error = await search.failure([placed.stamped for placed in dict.fromkeys(unit.placed for unit in work)])
    await search.isolate(work, error)
    return table, search


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 100, 1000])
async def test_one_unit_at_fault_is_found_in_log2_n_tries(count: int) -> None:
    """Wherever it stands: after the failed try at most log2 n tries find it, and one writes what follows it."""
    bound = math.ceil(math.log2(count)) + 1
    for position in range(count) if count < 1000 else [*range(0, 1000, 37), 499, 500, 998, 999]:
        table, search = await searched(count, {position})
        assert table.written == [number for number in range(count) if number != position]
        assert [one.unit.event_id for one in search.poison] == [position]
        assert search.tries - 1 <= bound


@given(st.data())
async def test_any_units_at_fault_are_isolated(data: st.DataObject) -> None:
    """Exactly those at fault are put aside, with their own reasons; all else is written, once and in order."""
    count = data.draw(st.integers(1, 60))
    poison = data.draw(st.sets(st.integers(0, count - 1)))
    table, search = await searched(count, poison)
    assert table.written == [number for number in range(count) if number not in poison]
    assert [one.unit.event_id for one in search.poison] == sorted(poison)
    assert search.tries - 1 <= len(poison) * (math.ceil(math.log2(count)) + 1)


async def test_what_is_not_about_content_ends_the_search() -> None:
    """A failure of the connection or the schema is the caller's to deal with, at whichever try it comes."""
    tries = 0

    async def write(_: Sequence[StampedBatch]) -> None:
        nonlocal tries
        tries += 1
        raise ContentError if tries < 3 else ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Search(write, WITHOUT_LIMIT).isolate(units(100), ContentError())


async def test_too_many_at_fault_end_the_search() -> None:
    """More units than allowed cannot be put aside."""
    _, search = await searched(50, {1, 2, 3}, allowed=3)
    assert len(search.poison) == 3
    with pytest.raises(DeadLetterRunError, match="refused: 4"):
        await searched(50, {1, 2, 3, 4}, allowed=3)


def test_a_run_of_dead_letters_has_a_limit() -> None:
    """Twenty, or 5 % of the units of the transactions that had any; one without any starts anew."""
    run = LetterRun()
    assert (run.allowed(10), run.allowed(400), run.allowed(1000)) == (20, 20, 50)
    run.committed(10, 8)
    run.committed(10, 8)
    assert (run.allowed(10), run.allowed(980)) == (4, 34)
    run.committed(10, 0)
    assert run.allowed(10) == 20
