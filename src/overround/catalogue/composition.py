"""Combinations of markets: what "this and that" has for outcomes, specifiers and a probability sum."""

from collections.abc import Sequence
from functools import reduce

import msgspec

AND = "_and_"


class Combinable(msgspec.Struct, frozen=True):
    """What of a market takes part in a combination."""

    outcomes: tuple[str, ...]
    specifiers: tuple[str, ...]
    probability_sum: int | None


def combined(parts: Sequence[Combinable]) -> Combinable:
    """Return what a bet on an outcome of every part is: all outcomes with all, the first part's leading.

    Every outcome of one part goes with every outcome of the other, so that the sums of their
    probabilities multiply, however much the parts depend on each other. Parts that take the same
    specifier share its value.
    """
    return reduce(_both, parts)


def _both(first: Combinable, second: Combinable) -> Combinable:
    sums = (first.probability_sum, second.probability_sum)
    return Combinable(
        outcomes=tuple(f"{one}{AND}{other}" for one in first.outcomes for other in second.outcomes),
        specifiers=(*first.specifiers, *(name for name in second.specifiers if name not in first.specifiers)),
        probability_sum=None if sums[0] is None or sums[1] is None else sums[0] * sums[1],
    )
