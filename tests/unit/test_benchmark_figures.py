import pytest

from benchmarks.pipeline.budgets import Budget
from benchmarks.pipeline.integrity import require_sound
from benchmarks.pipeline.markdown import table
from benchmarks.pipeline.records import Check, Spread, spread
from overround.errors import OverroundError


def test_spread_takes_nearest_ranks() -> None:
    """Percentiles are values that were measured, not something between them."""
    found = spread([float(value) for value in range(1, 201)])
    assert (found.count, found.p50, found.p95, found.p99, found.max) == (200, 100.0, 190.0, 198.0, 200.0)


def test_spread_of_nothing_is_empty() -> None:
    """Where nothing was measured, the count says so."""
    assert spread([]) == Spread()


@pytest.mark.parametrize(("at_most", "measured", "met"), [(True, 10.0, True), (True, 10.1, False), (False, 9.9, False)])
def test_budget_is_met_up_to_its_bound(at_most: bool, measured: float, met: bool) -> None:  # noqa: FBT001
    """A figure at the bound meets it; which side is good is part of the budget."""
    budget = Budget(name="storing", unit="ms", budget=10.0, at_most=at_most)
    assert budget.against(measured).met is met


def test_budget_without_a_figure_is_neither_met_nor_missed() -> None:
    """What a run did not measure is not passed off as met."""
    budget = Budget(name="storing", unit="ms", budget=10.0)
    assert (budget.against(None).measured, budget.against(None).met) == (None, None)


@pytest.mark.parametrize(("looked_at", "wrong"), [(10, 1), (0, 0)])
def test_integrity_fails_on_a_difference_and_on_having_looked_at_nothing(looked_at: int, wrong: int) -> None:
    """A check that compared nothing proves nothing."""
    with pytest.raises(OverroundError, match="cache = database"):
        require_sound([Check(name="cache = database", looked_at=looked_at, wrong=wrong)])


def test_integrity_holds_where_all_is_right() -> None:
    """Ten of ten right is sound."""
    require_sound([Check(name="cache = database", looked_at=10, wrong=0)])


def test_table_is_markdown() -> None:
    """A table has its head, its rule and a line a row."""
    assert table(("a", "b"), [(1, 2)]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
