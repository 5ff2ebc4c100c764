"""What a bookmaker offers on a match: which markets, how many lines of each, and in which families it prices them."""

from collections.abc import Sequence
from itertools import product
from types import MappingProxyType

import msgspec

from overround.bookmakers.mapping import Memo
from overround.bookmakers.rendering import PLAYER
from overround.bookmakers.simulation import Simulation, Size
from overround.catalogue import Catalogue, Market
from overround.simulator import lines
from overround.simulator.leagues import League

FAMILIES = 20
_TIER_SHARES = (1.55, 1.25, 1.0, 0.85, 0.62)
_WIDE_GROUPS = frozenset(("main",))
_WIDE_SPACING, _SPACING = 22, 55
_PLANS_KEPT = 500
_LINES_OF_UNCOUNTED = 5
_NO_LEAST = -10_000
_LEAST = MappingProxyType({lines.LINE: 2, lines.AT_LEAST: 4})


class Item(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A market at one line: `rank` counts the lines of a market from the nearest to what is expected.

    `around` names the specifier that the line is; lines are `whole` numbers or not, from `least` quarters.
    """

    market: Market
    rank: int
    fixed: dict[str, str]
    around: str = ""
    whole: bool = False
    least: int = _NO_LEAST

    @property
    def by_player(self) -> bool:
        """Tell whether a specifier names a player."""
        return PLAYER in self.fixed


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The items of an offer by family, and the place of each family's first item in all."""

    families: tuple[tuple[Item, ...], ...]
    starts: tuple[int, ...]

    @property
    def items(self) -> int:
        """Return how many items there are."""
        return sum(len(family) for family in self.families)


class Offers:
    """One bookmaker's plans, one for each tier of leagues."""

    def __init__(self, catalogue: Catalogue, simulation: Simulation, size: Size, leagues: Sequence[League]) -> None:
        """Prepare for these leagues, of which each has as many matches: over all, the profile's size is the average."""
        shares = [_share(league.tier) for league in leagues]
        self._scale = len(shares) / sum(shares)
        self._catalogue = catalogue
        self._simulation = simulation
        self._size = size
        self._plans = Memo(self._plan, _PLANS_KEPT)

    def of(self, tier: int) -> Plan:
        """Return what is offered on matches of leagues of a tier, from 1."""
        return self._plans[tier]

    def _plan(self, tier: int) -> Plan:
        profile = self._simulation.profile
        budget = round(profile.markets[self._size] * _share(tier) * self._scale)
        scored = sorted(self._scored(), key=lambda entry: entry[0])
        if profile.counts_lines:
            chosen = [item for _, _, item in scored[:budget]]
        else:
            chosen = _of_first_markets([item for _, _, item in scored], budget)
        return _families(chosen)

    def _scored(self) -> list[tuple[float, int, Item]]:
        """Return all that could be offered with a score, the lower the sooner: popular first, then further lines."""
        found: list[tuple[float, int, Item]] = []
        for place, key in enumerate(self._simulation.offerable.markets()):
            market = self._catalogue.market(key)
            spacing = _WIDE_SPACING if market.group in _WIDE_GROUPS else _SPACING
            for number, item in enumerate(self._items(market)):
                found.append((place + spacing * number, len(found), item))
        return found

    def _items(self, market: Market) -> list[Item]:
        """Return a market's items; none if it has specifiers whose values are not known."""
        implied = self._simulation.offerable.fixed(market.key)
        around = [name for name in market.specifiers if name in lines.AROUND and name not in implied]
        choices = {
            name: sorted(implied[name], key=_by_number) if name in implied else lines.listed(name)
            for name in market.specifiers
            if name not in around
        }
        if len(around) > 1 or not all(choices.values()):
            return []
        starts = [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]
        if not around:
            return [Item(market=market, rank=0, fixed=start) for start in starts]
        settles = market.meaning.settles
        return [
            Item(
                market=market,
                rank=rank,
                fixed=start,
                around=around[0],
                whole=around[0] == lines.AT_LEAST or settles == "european_handicap",
                least=_LEAST.get(around[0], _NO_LEAST),
            )
            for rank in range(lines.MOST_LINES)
            for start in starts
        ]


def _share(tier: int) -> float:
    return _TIER_SHARES[min(tier, len(_TIER_SHARES)) - 1]


def _by_number(text: str) -> tuple[int, str]:
    return (int(text) if text.isdecimal() else 0, text)


def _of_first_markets(items: list[Item], budget: int) -> list[Item]:
    """Return the first few lines of the first so many markets."""
    wanted = set(list(dict.fromkeys(item.market.key for item in items))[:budget])
    return [
        item
        for item in items
        if item.market.key in wanted
        and item.rank < (_LINES_OF_UNCOUNTED + 2 if item.market.group in _WIDE_GROUPS else _LINES_OF_UNCOUNTED)
    ]


def _families(chosen: list[Item]) -> Plan:
    """Return the items in families of about the same size, in the catalogue's order; a market is in one family."""
    ordered = sorted(chosen, key=lambda item: (item.market.number, item.rank))
    families: list[list[Item]] = [[]]
    for place, item in enumerate(ordered):
        new_market = not families[-1] or families[-1][-1].market is not item.market
        if new_market and place >= len(ordered) * len(families) / FAMILIES and families[-1]:
            families.append([])
        families[-1].append(item)
    starts = [0]
    for family in families:
        starts.append(starts[-1] + len(family))
    return Plan(families=tuple(tuple(family) for family in families), starts=tuple(starts[:-1]))
