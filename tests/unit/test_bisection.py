import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.errors import ContentError, DeadLetterRunError
from overround.records.batch import ListingWriteData, WriteBatch
from overround.records.writing import StampedBatch
from overround.storage.bisection import Allowances, Search
from overround.storage.units import Placed, Unit, blamed, units_of
from tests.integration.write_data import MINUTE, NOON, batch, event, listing, snapshot

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
    search = Search(table.write, lambda _: allowed)
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
        await Search(write, lambda _: WITHOUT_LIMIT).isolate(units(100), ContentError())


async def test_a_bookmaker_beyond_its_allowance_is_spared() -> None:
    """Its units that were not tried yet are neither written nor put aside; without the allowance they would be."""
    _, search = await searched(50, {1, 2, 3}, allowed=3)
    assert (len(search.poison), search.beyond, search.spared) == (3, {}, [])
    table, search = await searched(50, {1, 2, 3, 4, 40}, allowed=3)
    assert [one.unit.event_id for one in search.poison] == [1, 2, 3, 4]
    assert list(search.beyond) == [snapshot(NOON).bookmaker]
    assert table.written == [0]
    assert [unit.event_id for unit in search.spared] == list(range(5, 50))


async def test_the_others_of_a_bookmaker_beyond_its_allowance_are_written() -> None:
    """Poison of one bookmaker costs its own units alone, wherever they stand among the others'."""
    table = Table(set(range(0, 40, 2)))
    ours = [snapshot(NOON + MINUTE, sr_id=number, bookmaker="far") for number in range(1, 41, 2)]
    theirs = [snapshot(NOON + MINUTE, sr_id=number) for number in range(0, 40, 2)]
    mixed = batch(*[one for pair in zip(theirs, ours, strict=True) for one in pair])
    placed = Placed(0, StampedBatch(epoch=1, seq=1, batch=mixed))
    search = Search(table.write, lambda _: 5)
    await search.isolate(units_of([placed]), await search.failure([placed.stamped]))
    assert table.written == [one.sr_id for one in ours]
    assert len(search.poison) == 6
    assert len(search.spared) == len(theirs) - 6


async def test_two_bookmakers_beyond_their_allowance_end_the_search() -> None:
    """Where two fail at once the content is not at fault; so it is where one was found so a moment ago."""
    table = Table(set(range(40)))
    both = batch(*[snapshot(NOON, sr_id=at, bookmaker=("far", "near")[at % 2]) for at in range(40)])
    placed = Placed(0, StampedBatch(epoch=1, seq=1, batch=both))
    for found, allowed in ((), {"far": 3, "near": 3}), (("near",), {"far": 3, "near": 99}):
        search = Search(table.write, allowed.__getitem__, found)
        with pytest.raises(DeadLetterRunError, match="refused: "):
            await search.isolate(units_of([placed]), await search.failure([placed.stamped]))


def test_an_event_is_the_content_of_the_bookmaker_that_names_it() -> None:
    """An event at fault counts against the bookmaker whose listing has its names; without one, against none."""
    ours = ListingWriteData(listing=listing("L8", bookmaker="far", home="Reds"), seen_at=NOON)
    theirs = ListingWriteData(listing=listing(home="The Reds"), seen_at=NOON)
    alone = WriteBatch(scrape_run_id=1, batch_index=0, events=(event(home="Reds"),))
    stated = msgspec.structs.replace(alone, listings=(theirs, ours))
    first = [units_of([Placed(0, StampedBatch(epoch=1, seq=1, batch=one))])[0] for one in (stated, alone)]
    assert [(unit.bookmaker, blamed(unit)) for unit in first] == [("", "far"), ("", "")]


def test_a_bookmaker_s_allowance() -> None:
    """Twenty units, or 5 % of those of its transactions that had any at fault; one without any starts anew."""
    allowances = Allowances()
    allowed = allowances.of({"far": 10, "near": 1000})
    assert (allowed("far"), allowed("near"), allowed("none")) == (20, 50, 20)
    allowances.committed({"far": 10, "near": 10}, {"far": 8})
    allowances.committed({"far": 10}, {"far": 8})
    assert (allowances.of({"far": 10})("far"), allowances.of({"far": 980})("far")) == (4, 34)
    assert allowances.of({})("near") == 20
    allowances.committed({"far": 10}, {})
    assert allowances.of({"far": 10})("far") == 20
