"""Prices, lines and margins are exact."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.errors import LineError, PriceError
from overround.records.odds import (
    REMOVED,
    MarketKey,
    MarketPrices,
    State,
    canonical_line,
    margin,
    outcome_state,
    parse_price,
    price_text,
    shown_price,
    specifiers_of,
    specifiers_text,
)


@given(st.integers(min_value=1001, max_value=2**31 - 1))
def test_price_text_round_trip(price: int) -> None:
    """A price in thousandths survives the way through its text."""
    assert parse_price(price_text(price)) == price


@pytest.mark.parametrize(
    ("text", "price"), [("2.10", 2100), ("4", 4000), ("1.005", 1005), (" 3.5 ", 3500), ("0", 0), ("250.00", 250_000)]
)
def test_parse_price(text: str, price: int) -> None:
    """Decimal text becomes thousandths."""
    assert parse_price(text) == price


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "abc", "-2", "NaN", "Infinity", "1e12", "1E3", "2,5", "1_000", "+150", "+2.5", "-0", "1.2.3"),
        *("\u0662.\u0665", "\uff12", "1.", ".5", "0x2", "2 5", "2147483.648", "99999999999999999999", "1" * 5_000),
    ],
)
def test_parse_price_refuses(text: str) -> None:
    """A price is ASCII digits with at most one point: no sign, exponent, underscore or other script, and bounded."""
    with pytest.raises(PriceError):
        parse_price(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [("2.50", "2.5"), ("+1", "1"), ("-0.0", "0"), ("0", "0"), ("-1.50", "-1.5"), ("10", "10"), ("100", "100")],
)
def test_canonical_line(text: str, line: str) -> None:
    """A line has one text: no trailing zeros, no plus, no negative zero, no exponent."""
    assert canonical_line(text) == line


@given(st.decimals(min_value=-999_999, max_value=999_999, places=2))
def test_canonical_line_is_a_fixed_point(line: object) -> None:
    """Canonical text of canonical text is itself."""
    once = canonical_line(str(line))
    assert canonical_line(once) == once


@pytest.mark.parametrize("text", ["", "abc", "NaN", "1:0", "99999999", "0.00001", "1e400"])
def test_canonical_line_refuses(text: str) -> None:
    """What is no line is refused."""
    with pytest.raises(LineError):
        canonical_line(text)


@given(st.dictionaries(st.sampled_from(["line", "goal", "score"]), st.sampled_from(["1", "2.5", "0:0", "a+b"])))
def test_specifiers_round_trip(specifiers: dict[str, str]) -> None:
    """Specifiers survive the way through a key's canonical text."""
    assert dict(specifiers_of(MarketKey("any", specifiers_text(specifiers)))) == specifiers


def test_no_line_and_line_zero_differ() -> None:
    """A market without a line is another one than the same market at line 0."""
    assert MarketKey("total_goals") != MarketKey("total_goals", "line=0")


def test_state_follows_from_outcomes() -> None:
    """One active outcome makes a market active, a suspended one suspended, none at all removed."""
    assert MarketPrices((2100, -1, 0)).state is State.ACTIVE
    assert MarketPrices((-2100, 0, 0)).state is State.SUSPENDED
    assert REMOVED.state is State.REMOVED


def test_outcome_states_and_shown_prices() -> None:
    """A sign tells the state, the magnitude the price that is shown."""
    assert [outcome_state(price) for price in (2100, -2100, -1, 0)] == ["active", "suspended", "suspended", None]
    assert [shown_price(price) for price in (2100, -2100, -1, 0)] == [2100, 2100, None, None]


def test_margin_of_a_fair_market_is_zero() -> None:
    """Fair odds have no overround, whatever the probabilities add up to."""
    assert margin(MarketPrices((2000, 4000, 4000)), 1) == 0
    assert margin(MarketPrices((1500, 1500, 1500)), 2) == 0


def test_margin_is_exact() -> None:
    """A margin is a fraction of the prices, without rounding."""
    assert margin(MarketPrices((1900, 1900)), 1) == Fraction(1, 19)


@pytest.mark.parametrize("prices", [(2000,), (2000, -2000), (2000, 0)])
def test_margin_needs_all_outcomes_active(prices: tuple[int, ...]) -> None:
    """A partial sum has no meaning, and gives none."""
    assert margin(MarketPrices(prices), 1) is None


def test_margin_needs_outcomes_that_cover_the_event() -> None:
    """Without an outcome that is not on offer the rest adds up to less, unless the rest is all that can happen."""
    exact, five, six = MarketPrices((4000, 2000, 4000, 0)), (0, 1, 3), (0, 1, 2)
    assert margin(exact, 1) is None
    assert margin(exact, 1, (five,)) is None
    assert margin(exact, 1, (five, six)) == 0
    assert margin(MarketPrices((4000, 2000, 4000, 4000)), 1, (five, six)) is None
