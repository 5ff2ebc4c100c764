"""Chances of outcomes as sums over the cells of a distribution: which cells pay is found once, for all prices."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

import msgspec


class Weights(msgspec.Struct, frozen=True):
    """The cells that an outcome wins in: those that pay in full, and those that pay in part."""

    whole: Callable[[Sequence[float]], tuple[float, ...]] | None
    parts: tuple[tuple[int, float], ...]

    def chance(self, cells: Sequence[float]) -> float:
        """Return the chance of a win."""
        chance = sum(self.whole(cells)) if self.whole else 0.0
        for place, share in self.parts:
            chance += cells[place] * share
        return chance


def weights_of(shares: Iterable[float]) -> Weights:
    """Return the weights of an outcome that pays these shares of a win in the cells, in their order."""
    paying = [(place, share) for place, share in enumerate(shares) if share]
    parts = tuple((place, share) for place, share in paying if share != 1)
    return adding([place for place, share in paying if share == 1], parts)


def adding(places: Sequence[int], parts: tuple[tuple[int, float], ...] = ()) -> Weights:
    """Return the weights that add up the cells at these places, and parts of others."""
    if len(places) == 1:
        return Weights(None, (*parts, (places[0], 1.0)))
    return Weights(itemgetter(*places) if places else None, parts)
