"""The requests-per-minute budget."""

from hypothesis import given
from hypothesis import strategies as st

from overround.fetching.admission import MinuteBudget


@given(st.integers(1, 20), st.lists(st.floats(0, 20), max_size=100))
def test_no_minute_has_more_than_the_budget(budget: int, gaps: list[float]) -> None:
    """Of the times given out, no 60 seconds hold more than the budget, and none comes before it was wanted."""
    minute, now, starts = MinuteBudget(budget), 0.0, [0.0]
    for gap in gaps:
        now = max(now + gap, starts[-1])
        starts.append(minute.reserve(now, now))
        assert starts[-1] >= now
    given_out = starts[1:]
    for first, later in zip(given_out, given_out[budget:], strict=False):
        assert later >= first + 60


@given(st.lists(st.floats(0, 20), max_size=100))
def test_without_a_budget_nothing_waits(gaps: list[float]) -> None:
    """Without a budget requests start when they want to, and those of the last 60 seconds are counted."""
    minute, now, starts = MinuteBudget(None), 0.0, []
    for gap in gaps:
        now += gap
        assert minute.reserve(now, now) == now
        starts.append(now)
    assert minute.used(now) == sum(start > now - 60 for start in starts)


def test_what_is_to_come_is_not_used_yet() -> None:
    """Times that were given out for later count once they have come, and no more a minute after."""
    minute = MinuteBudget(2)
    assert [minute.reserve(0.0, 0.0) for _ in range(3)] == [0, 0, 60]
    assert minute.used(0.0) == 2
    assert minute.used(60.0) == 1
    assert minute.used(120.0) == 0
