"""One market at several bookmakers: the best prices, and how the reference stands to them. Pure arithmetic.

A price compares only where it is active. Probabilities are fair ones: the margin is taken out in proportion.
"""

from collections.abc import Sequence

import msgspec

from overround.catalogue import Market
from overround.records.odds import THOUSANDTHS, approximate_margin

_DIGITS = 5
_POINT_DIGITS = 3


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One outcome across the bookmakers, who are named by their places.

    `best` is the highest active price, 0 where there is none, and `holders` those who offer it. `rank`, `gap`
    and `points` are the reference's, None where it has no active price: rank 1 where nobody pays more; the gap
    to the best price as a fraction, -0.02 for 2 % below; and the percentage points of fair probability by which
    the best competitor rates the outcome higher, positive where the reference pays better, None also where a
    margin is not known.
    """

    best: int
    holders: tuple[int, ...]
    rank: int | None = None
    gap: float | None = None
    points: float | None = None


_NOBODY = Outcome(0, ())


class Offers(msgspec.Struct, frozen=True, gc=False):
    """A market's prices and margins by bookmaker; `reference` is the reference's place, None without one."""

    prices: Sequence[Sequence[int]]
    margins: Sequence[float | None]
    reference: int | None


def market_margin(market: Market, prices: Sequence[int]) -> float | None:
    """Return a market's margin as a fraction; None where it is not known what the prices add up to."""
    if market.probability_sum is None or len(prices) != len(market.outcomes):
        return None
    margin = approximate_margin(prices, market.probability_sum, market.covers)
    return None if margin is None else round(margin, _DIGITS)


def compare(offers: Offers, size: int) -> list[Outcome]:
    """Return the comparison of each of a market's `size` outcomes; prices that are missing at the end are none."""
    rows = [row if len(row) == size else [*row, *[0] * size][:size] for row in offers.prices]
    if not rows:
        return [_NOBODY] * size
    return [_outcome(offers, column) for column in zip(*rows, strict=True)]


def _outcome(offers: Offers, column: tuple[int, ...]) -> Outcome:
    best = max(column)
    if best <= 0:
        return _NOBODY
    if column.count(best) == 1:
        holders: tuple[int, ...] = (column.index(best),)
    else:
        holders = tuple([place for place, price in enumerate(column) if price == best])
    reference = offers.reference
    own = 0 if reference is None else column[reference]
    if reference is None or own <= 0:
        return Outcome(best, holders)
    points = _points(offers, column, reference)
    if own == best:
        return Outcome(best, holders, 1, 0.0, points)
    rank = sorted(column, reverse=True).index(own) + 1
    return Outcome(best, holders, rank, round(own / best - 1, _DIGITS), points)


def _points(offers: Offers, column: tuple[int, ...], reference: int) -> float | None:
    """Compare with the competitor of the highest price, the first of equals."""
    margins, own = offers.margins, column[reference]
    rivals = (*column[:reference], 0, *column[reference + 1 :])
    price = max(rivals)
    if price <= 0:
        return None
    theirs, ours = margins[rivals.index(price)], margins[reference]
    if theirs is None or ours is None:
        return None
    fair = THOUSANDTHS / price / (1 + theirs) - THOUSANDTHS / own / (1 + ours)
    return round(100 * fair, _POINT_DIGITS)
