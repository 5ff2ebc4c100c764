"""Step series: what holds when, by hand and by property."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from overround.api.history.series import Point, closing, in_force, opening, steps, within

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

prices = st.one_of(st.integers(1001, 5000), st.integers(-5000, -1001), st.sampled_from([0, -1]))
histories = st.lists(st.tuples(st.integers(0, 200), st.lists(prices, max_size=3)), max_size=30).map(
    lambda rows: [(at(minute), row) for minute, row in sorted(rows, key=lambda pair: pair[0])]
)


def at(minute: int) -> datetime:
    """Return an instant after noon."""
    return NOON + timedelta(minutes=minute)


def test_repetitions_are_folded_and_absences_are_points() -> None:
    """A state that is written again is no step; a suspension, a removal and a return are."""
    changes = [(at(0), (2000, 0)), (at(1), (2000, 1500)), (at(2), (-2000, 1500)), (at(3), ()), (at(4), (2100, 1500))]
    assert steps(changes, 0) == [Point(at(0), 2000), Point(at(2), -2000), Point(at(3), 0), Point(at(4), 2100)]
    assert steps(changes, 1) == [Point(at(1), 1500), Point(at(3), 0), Point(at(4), 1500)]
    assert steps(changes, 2) == []


def test_a_range_begins_with_what_was_in_force() -> None:
    """The point before the range holds at its beginning; one on the edge takes its place."""
    points = [Point(at(0), 2000), Point(at(10), 2100), Point(at(20), 2200)]
    assert within(points, at(5), at(15)) == points[:2]
    assert within(points, at(10), at(20)) == points[1:]
    assert within(points, at(-5), at(5)) == points[:1]
    assert within(points, None, at(15)) == points[:2]


def test_opening_and_closing() -> None:
    """The first active price opens; the last active one up to the kick-off closes, a suspension does not."""
    points = [Point(at(0), -1), Point(at(1), 2000), Point(at(2), 2100), Point(at(3), -2100), Point(at(9), 1500)]
    assert opening(points) == points[1]
    assert closing(points, at(5)) == points[2]
    assert closing(points, at(0)) is None
    assert opening([]) is None


@given(histories, st.integers(-10, 210))
def test_what_is_in_force_is_the_last_change(history: list[tuple[datetime, list[int]]], minute: int) -> None:
    """At any instant the series says what the last change up to it said, and nothing stands there twice."""
    points = steps(history, 1)
    last = [row for when, row in history if when <= at(minute)]
    expected = last[-1][1] if last and len(last[-1]) > 1 else 0
    now = [point for point in points if point.at <= at(minute)]
    assert (now[-1].price if now else 0) == expected
    assert all(one.price != other.price for one, other in pairwise(points))
    assert not points or points[0].price != 0


@given(histories, st.integers(-10, 210), st.integers(0, 100))
def test_a_range_tells_the_same_as_the_whole(
    history: list[tuple[datetime, list[int]]], minute: int, length: int
) -> None:
    """Anywhere within a range its points say what all points say."""
    points = steps(history, 0)
    cut = within(points, at(minute), at(minute + length))
    for moment in (minute, minute + length // 2, minute + length):
        whole, part = in_force(points, at(moment)), in_force(cut, at(moment))
        assert (whole and whole.price) == (part and part.price)
