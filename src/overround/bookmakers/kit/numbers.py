"""Odds in the notations that are not decimal; a plug-in calls the helper of the notation that its bookmaker writes."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from overround.errors import PriceError
from overround.records.odds import parse_price, thousandths

_AMERICAN: Final = re.compile(r"([+-])([0-9]{3,7})(?:\.0+)?")
_FRACTIONAL: Final = re.compile(r"([0-9]{1,7})\s*/\s*([0-9]{1,7})")
_EVENS: Final = frozenset(("even", "evens", "evs", "ev"))
_EVEN_MONEY: Final = 2_000
_HUNDRED: Final = 100


def decimal_price(text: str) -> int:
    """Return "2.10" in thousandths: 2100.

    Raises:
        PriceError: not a plain decimal.
    """
    return parse_price(text)


def american_price(text: str) -> int:
    """Return "+150" in thousandths of a decimal price: 2500; "-110" is 1909.

    Raises:
        PriceError: no sign, or less than 100.
    """
    stated = text.strip()
    if stated.lower() in _EVENS:
        return _EVEN_MONEY
    found = _AMERICAN.fullmatch(stated)
    if not found or int(found[2]) < _HUNDRED:
        raise PriceError(f"{text[:40]!r} is no American price")
    amount = int(found[2])
    return _of_winnings(Fraction(amount, _HUNDRED) if found[1] == "+" else Fraction(_HUNDRED, amount))


def fractional_price(text: str) -> int:
    """Return "5/2" in thousandths of a decimal price: 3500.

    Raises:
        PriceError: not two whole numbers, or nothing to divide by.
    """
    stated = text.strip()
    if stated.lower() in _EVENS:
        return _EVEN_MONEY
    found = _FRACTIONAL.fullmatch(stated)
    if not found or not int(found[2]):
        raise PriceError(f"{text[:40]!r} is no fractional price")
    return _of_winnings(Fraction(int(found[1]), int(found[2])))


def _of_winnings(winnings: Fraction) -> int:
    price = winnings + 1
    return thousandths(Decimal(price.numerator) / Decimal(price.denominator))
