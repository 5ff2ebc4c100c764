"""Prices and lines in every notation that bookmakers write."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.bookmakers.kit.decoding import bettable_price, number_text
from overround.bookmakers.kit.numbers import american_price, decimal_price, fractional_price
from overround.errors import LineError, PriceError
from overround.records.odds import SUSPENDED_UNPRICED, canonical_line, parse_price, price_text


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("1.2858", 1286),
        ("1.2845", 1284),
        ("1.2855", 1286),
        ("1.28450000000001", 1284),
        ("1.8500000000000001", 1850),
        ("2.0999999999999996", 2100),
        ("1.0004", 1000),
        (" 2.10\n", 2100),
        ("007", 7000),
    ],
)
def test_a_finer_price_is_rounded_half_even(text: str, thousandths: int) -> None:
    """To the thousandth; what floats add to a decimal does not decide."""
    assert parse_price(text) == decimal_price(text) == thousandths


@given(st.integers(1, 2_000_000))
def test_a_float_is_the_decimal_that_it_was(thousandths: int) -> None:
    """A price that went through a binary float, and a sum of floats, comes back exactly."""
    assert parse_price(repr(thousandths / 1000)) == thousandths
    assert parse_price(f"{thousandths / 1000 + 0.1 - 0.1:.17f}") == thousandths
    assert parse_price(price_text(thousandths)) == thousandths


@pytest.mark.parametrize("text", ["1e1", "1_0", "٢.5", "--1", "+-1", "1.2.3", "2,5", "", "+", "NaN", "0x1", "1" * 12])
def test_a_line_is_a_plain_decimal(text: str) -> None:
    """With a sign or without: no exponent, underscore, other script or comma."""
    with pytest.raises(LineError):
        canonical_line(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [("2.4999999999999996", "2.5"), ("0.30000000000000004", "0.3"), ("-0.0000000000000001", "0"), ("+1.50", "1.5")],
)
def test_noise_is_no_line_of_its_own(text: str, line: str) -> None:
    """A float's noise is taken away; a line that is really finer is none."""
    assert canonical_line(text) == line
    with pytest.raises(LineError):
        canonical_line("2.50001")


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [("+150", 2500), ("-110", 1909), ("-180", 1556), ("+100", 2000), ("EVEN", 2000), ("+240.0", 3400)],
)
def test_american_prices(text: str, thousandths: int) -> None:
    """A plus is what a hundred wins, a minus what wins a hundred."""
    assert american_price(text) == thousandths


@pytest.mark.parametrize("text", ["150", "+99", "-0", "+1e3", "", "+15_0", "2.10", "+1\u0665\u0660"])
def test_what_is_no_american_price(text: str) -> None:
    """Without a sign or below 100 it is another notation."""
    with pytest.raises(PriceError):
        american_price(text)


@given(st.integers(1, 9_999), st.integers(1, 999))
def test_fractional_prices(numerator: int, denominator: int) -> None:
    """The stake comes on top of the fraction; the result is within half a thousandth."""
    price = fractional_price(f"{numerator}/{denominator}")
    assert abs(Fraction(price, 1000) - 1 - Fraction(numerator, denominator)) <= Fraction(1, 2000)


@pytest.mark.parametrize("text", ["5/0", "5-2", "5/2/1", "-5/2", "5", "/", "5.5/2"])
def test_what_is_no_fractional_price(text: str) -> None:
    """Two whole numbers, or nothing."""
    with pytest.raises(PriceError):
        fractional_price(text)


@pytest.mark.parametrize("text", ["0", "0.00", "0E-10", "0e+3", "1.00", "0.5", "1"])
def test_no_price_is_told_from_a_bad_one(text: str) -> None:
    """Zero, however it is written, and all up to one mean that there is no price."""
    assert bettable_price(text) == SUSPENDED_UNPRICED


@pytest.mark.parametrize(
    ("raw", "text"), [(b"3.40", "3.40"), (b'"3.40"', "3.40"), (b"null", ""), (b"true", ""), (b"{}", ""), (b"-1", "-1")]
)
def test_a_number_may_stand_in_quotes(raw: bytes, text: str) -> None:
    """The text of a number is exact, in quotes or not; null and the rest have none."""
    assert number_text(raw) == text
