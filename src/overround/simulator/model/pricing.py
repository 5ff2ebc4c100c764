"""From chances to a bookmaker's prices: its margin, its steps, and what it does with near-certainties."""

from collections.abc import Mapping, Sequence

from overround.bookmakers.kit.simulation import Offerable, Profile
from overround.bookmakers.mapping.bookmaker_mapping import Memo
from overround.catalogue import Market
from overround.records.odds import SUSPENDED_UNPRICED, THOUSANDTHS, MarketKey, MarketPrices, specifiers_text
from overround.simulator.model import lines
from overround.simulator.model.chances import Chances, Recipe, View, single_mean
from overround.simulator.model.offers import Item

_KEYS_KEPT = 50_000
_CERTAIN, _HOPELESS = 0.975, 0.0008
_SHORTEST = 1010
_QUARTERS = 4
_PLAIN_OUTCOMES = 3
_MARGIN_OF_AN_OUTCOME = 0.09  # by how much the margin grows with each outcome beyond three
_WIDEST_MARGIN = 2.6


class Pricing:
    """One bookmaker's prices of a sport."""

    def __init__(self, chances: Chances, profile: Profile, offerable: Offerable) -> None:
        self._profile = profile
        self._chances = chances
        self._offerable = offerable
        self._keys = Memo(_key, _KEYS_KEPT)
        self._laid = Memo(self._lay, _KEYS_KEPT)
        self._recipes = Memo(self._recipe, _KEYS_KEPT)

    def family(
        self, items: Sequence[Item], view: View, margin: float, *, shift: int = 0
    ) -> Mapping[MarketKey, tuple[int, MarketPrices]]:
        """Return the prices of a family's items, each with its item's place; what has no line there is left out.

        `margin` is the match result's; `shift` moves the lines by so many.
        """
        found: dict[MarketKey, tuple[int, MarketPrices]] = {}
        roster = view.expectancy.roster
        market: Market | None = None
        fixed: Mapping[str, str] = {}
        middles: tuple[int, ...] = ()
        for place, item in enumerate(items):
            if item.market is not market or item.fixed != fixed:  # its other lines have the same middle
                market, fixed = item.market, item.fixed
                middles = self._middles(item, view) if item.around else ()
            recipe = self._laid[item, roster if item.by_player else 0, middles, shift if item.lines > 1 else 0]
            if recipe and recipe.key not in found:
                found[recipe.key] = place, self._prices(recipe, view, margin)
        return found

    def _middles(self, item: Item, view: View) -> tuple[int, ...]:
        """Return the item's lines at rank 0, in quarters."""
        if lines.AT_LEAST in item.around:
            fixed = {name: lines.named(value, view.expectancy.roster) for name, value in item.fixed.items()}
            return (_QUARTERS * max(1, round(single_mean(item.market, fixed, view))),)
        # Any line tells what the market is on.
        probe = self._keys[item.market.key, (*item.fixed.items(), *((name, "1") for name in item.around))]
        return tuple([self._chances.middle(probe, name, view) for name in item.around])

    def _lay(self, where: tuple[Item, int, tuple[int, ...], int]) -> Recipe | None:
        """Return how an item is priced at its lines, by their middles, and the shift; None if it has no line."""
        item, roster, middles, shift = where
        specifiers = {name: lines.named(value, roster) for name, value in item.fixed.items()}
        for name, middle, least in zip(item.around, middles, item.least, strict=True):
            line = lines.value(item.rank + shift, middle, whole=item.whole, least=least)
            if line is None:
                return None
            specifiers[name] = line
        return self._recipes[self._keys[item.market.key, tuple(specifiers.items())]]

    def _recipe(self, key: MarketKey) -> Recipe | None:
        slots = self._offerable.slots(key)
        return self._chances.recipe(key, slots) if slots else None

    def _prices(self, recipe: Recipe, view: View, margin: float) -> MarketPrices:
        """Return the prices of a key; what cannot happen is listed without one."""
        chances = recipe.chances(view)
        market, profile = recipe.market, self._profile
        scale = market.probability_sum / (sum(chances) or 1.0) if market.probability_sum else 1.0
        # Outcomes that overlap, such as ranges of goals, are each a bet of its own: the margin is that of a plain one.
        many = len(chances) - _PLAIN_OUTCOMES if market.probability_sum == 1 else 0
        wide = 1 + min(_WIDEST_MARGIN, _MARGIN_OF_AN_OUTCOME * max(0, many))
        factor = 1 + margin * wide
        prices = [0] * len(market.outcomes)
        for slot, chance in zip(recipe.slots, chances, strict=True):
            prices[slot] = quoted(chance * scale, factor, profile) if chance else SUSPENDED_UNPRICED
        return MarketPrices(tuple(prices))


def _key(parts: tuple[str, tuple[tuple[str, str], ...]]) -> MarketKey:
    market, specifiers = parts
    return MarketKey(market, specifiers_text(dict(specifiers)))


def quoted(chance: float, factor: float, profile: Profile) -> int:
    """Return a price in thousandths for a chance, charged with a factor, on the bookmaker's ladder."""
    if chance > _CERTAIN and profile.refuses_certainties:
        return SUSPENDED_UNPRICED
    exact = THOUSANDTHS / (chance * factor if chance > _HOPELESS else _HOPELESS)
    for ceiling, step in profile.ladder:
        if exact < ceiling:
            rounded = step * round(exact / step)
            return max(_SHORTEST, rounded)
    return profile.ladder[-1][0]
