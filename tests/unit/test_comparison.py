"""Best prices and the reference's standing, by hand and by property."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from overround.catalogue import Market
from overround.pricing.comparison import Offers, Outcome, compare, market_margin
from overround.records.odds import MarketPrices, approximate_margin, margin

RESULT = Market(
    number=1, key="result", name="Result", group="main", outcomes=("home", "draw", "away"), probability_sum=1
)

prices = st.one_of(st.integers(1001, 100_000), st.integers(-100_000, -1001), st.sampled_from([0, -1]))
rows = st.lists(st.lists(prices, min_size=3, max_size=3), min_size=1, max_size=5)


def compared(*rows: tuple[int, ...], reference: int | None = 0) -> list[Outcome]:
    """Compare rows of prices of a three-way market."""
    margins = [market_margin(RESULT, row) for row in rows]
    return compare(Offers(rows, margins, reference), 3)


def test_best_rank_gap_and_points() -> None:
    """The highest active price is best; the reference's rank, gap and points follow from it."""
    home, draw, away = compared((2000, 4000, 4000), (2100, 3800, 4000), (-2500, 3700, 4100))
    assert (home.best, home.holders, home.rank, home.gap) == (2100, (1,), 2, -0.04762)
    assert (draw.best, draw.holders, draw.rank, draw.gap) == (4000, (0,), 1, 0.0)
    assert (away.best, away.holders, away.rank) == (4100, (2,), 2)
    ours = Fraction(1, 2)
    theirs = Fraction(1000, 2100) / (Fraction(1000, 2100) + Fraction(1000, 3800) + Fraction(1, 4))
    assert home.points == round(float(100 * (theirs - ours)), 3)
    assert home.points is not None
    assert home.points < 0, "the competitor pays better"
    assert away.points is None, "the best competitor's margin is not known"


def test_equal_prices_share_the_best() -> None:
    """All who offer the best price are named, and the reference then ranks first."""
    home, _, _ = compared((2000, 0, 0), (2000, 0, 0), (1900, 0, 0))
    assert (home.holders, home.rank, home.gap) == ((0, 1), 1, 0.0)


def test_nobody_and_no_reference() -> None:
    """Without an active price there is no best; without the reference nothing is said of it."""
    home, draw, _ = compared((-2000, 0, 0), (0, 3000, 0), reference=None)
    assert home == Outcome(0, ())
    assert (draw.best, draw.holders, draw.rank, draw.gap, draw.points) == (3000, (1,), None, None, None)
    assert compare(Offers((), (), None), 2) == [Outcome(0, ())] * 2


def test_outcomes_that_a_bookmaker_does_not_have_yet() -> None:
    """Prices that are missing at the end of a row are none."""
    _, draw, away = compare(Offers([(2000, 3000), (2100, 3100, 4100)], [None, None], 0), 3)
    assert (draw.best, draw.rank) == (3100, 2)
    assert (away.holders, away.rank) == ((1,), None)


@given(rows, st.integers(0, 4))
def test_the_figures_are_those_of_the_definition(table: list[list[int]], place: int) -> None:
    """Whatever the prices: best is the greatest, rank counts who pays more, the gap is never positive."""
    reference = place % len(table)
    for number, outcome in enumerate(compared(*map(tuple, table), reference=reference)):
        column = [row[number] for row in table]
        own = column[reference]
        assert outcome.best == max(0, *column)
        assert outcome.holders == tuple(at for at, price in enumerate(column) if 0 < price == outcome.best)
        assert outcome.rank == (1 + sum(price > own for price in column) if own > 0 else None)
        assert (outcome.gap is None) == (own <= 0)
        assert outcome.gap is None or outcome.gap <= 0


@given(st.lists(prices, max_size=4), st.sampled_from([(), ((0, 1),), ((0, 1), (1, 2))]), st.integers(1, 2))
def test_the_approximate_margin_is_the_exact_one(
    row: list[int], covers: tuple[tuple[int, ...], ...], probability_sum: int
) -> None:
    """The float margin is there exactly when the exact one is, and is the same to twelve digits."""
    exact = margin(MarketPrices(tuple(row)), probability_sum, covers)
    fast = approximate_margin(row, probability_sum, covers)
    assert (fast is None) == (exact is None)
    assert exact is None or fast is None or abs(fast - float(exact)) < 1e-12
