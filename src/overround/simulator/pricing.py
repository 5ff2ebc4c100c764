"""From chances to a bookmaker's prices: its margin, its steps, and what it does with near-certainties."""

from collections.abc import Mapping, Sequence

from overround.bookmakers.mapping import Memo
from overround.bookmakers.simulation import Profile, Simulation
from overround.catalogue import Catalogue, Market
from overround.odds import SUSPENDED_UNPRICED, THOUSANDTHS, MarketKey, MarketPrices, specifiers_text
from overround.simulator import lines
from overround.simulator.bets import Specifiers
from overround.simulator.chances import Chances, View, single_mean
from overround.simulator.offers import Item

_SLOTS_KEPT = 50_000
_CERTAIN, _HOPELESS = 0.975, 0.0008
_SHORTEST = 1010
_QUARTERS = 4
_PLAIN_OUTCOMES = 3
_MARGIN_OF_AN_OUTCOME = 0.09  # by how much the margin grows with each outcome beyond three
_WIDEST_MARGIN = 2.6


class Pricing:
    """One bookmaker's prices."""

    def __init__(self, catalogue: Catalogue, simulation: Simulation) -> None:
        self._profile = simulation.profile
        self._chances = Chances(catalogue)
        self._keys = Memo(_key, _SLOTS_KEPT)
        self._slots = Memo(simulation.offerable.slots, _SLOTS_KEPT)

    def family(
        self, items: Sequence[Item], view: View, margin: float, *, shift: int = 0
    ) -> Mapping[MarketKey, tuple[int, MarketPrices]]:
        """Return the prices of a family's items, each with its item's place; what has no line there is left out.

        `margin` is the match result's; `shift` moves the lines by so many.
        """
        found: dict[MarketKey, tuple[int, MarketPrices]] = {}
        for place, item in enumerate(items):
            key = self._key(item, view, shift)
            slots = self._slots[key] if key and key not in found else ()
            if key and slots:
                found[key] = place, self._prices(item.market, key, slots, view, margin)
        return found

    def _key(self, item: Item, view: View, shift: int) -> MarketKey | None:
        market, roster = item.market, view.expectancy.roster
        fixed = {name: lines.named(value, roster) for name, value in item.fixed.items()}
        if not item.around:
            return self._keys[market.key, tuple(fixed.items())]
        middle = self._middle(item, fixed, view)
        value = lines.value(item.rank + shift, middle, whole=item.whole, least=item.least)
        return None if value is None else self._keys[market.key, (*fixed.items(), (item.around, value))]

    def _middle(self, item: Item, fixed: Specifiers, view: View) -> int:
        if item.around == lines.AT_LEAST:
            return _QUARTERS * max(1, round(single_mean(item.market, fixed, view)))
        # Any line tells what the market is on.
        probe = self._keys[item.market.key, (*fixed.items(), (item.around, "1"))]
        return lines.middle(item.market, item.around, self._chances.field(probe), view)

    def _prices(self, market: Market, key: MarketKey, slots: Sequence[int], view: View, margin: float) -> MarketPrices:
        chances = self._chances.of(key, view)
        offered = [chances[slot] for slot in slots]
        scale = market.probability_sum / (sum(offered) or 1.0) if market.probability_sum else 1.0
        wide = 1 + min(_WIDEST_MARGIN, _MARGIN_OF_AN_OUTCOME * max(0, len(slots) - _PLAIN_OUTCOMES))
        factor = scale * (1 + margin * wide)
        prices = [0] * len(market.outcomes)
        for slot, chance in zip(slots, offered, strict=True):
            prices[slot] = quoted(chance * factor, chance * scale, self._profile)
        return MarketPrices(tuple(prices))


def _key(parts: tuple[str, tuple[tuple[str, str], ...]]) -> MarketKey:
    market, specifiers = parts
    return MarketKey(market, specifiers_text(dict(specifiers)))


def quoted(charged: float, chance: float, profile: Profile) -> int:
    """Return a price in thousandths for a chance with its margin, on the bookmaker's ladder."""
    if chance > _CERTAIN and profile.refuses_certainties:
        return SUSPENDED_UNPRICED
    exact = THOUSANDTHS / max(charged, _HOPELESS)
    for ceiling, step in profile.ladder:
        if exact < ceiling:
            return max(_SHORTEST, step * round(exact / step))
    return profile.ladder[-1][0]
