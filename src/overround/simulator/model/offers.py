"""What a bookmaker offers on a match: which markets, how many lines of each, and in which families it prices them."""

from collections.abc import Collection, Sequence
from itertools import product
from types import MappingProxyType

import msgspec

from overround.bookmakers.kit.rendering import PLAYER
from overround.bookmakers.kit.simulation import Profile, Simulation, Size
from overround.bookmakers.mapping.bookmaker_mapping import Memo
from overround.catalogue import Catalogue, Market
from overround.simulator.model import lines
from overround.simulator.model.leagues import FOOTBALL, League

FAMILIES = 20
_TIER_SHARES = (1.55, 1.25, 1.0, 0.85, 0.62)
_WIDE_GROUPS = frozenset(("main",))
_WIDE_SPACING, _SPACING = 22, 55
_PLANS_KEPT = 500
_LINES_OF_UNCOUNTED = 5
_NO_LEAST = -10_000
_LEAST = MappingProxyType({lines.LINE: 2, lines.AT_LEAST: 4})


class Item(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A market at one line: `rank` counts the `lines` of a market from the nearest to what is expected.

    `around` names the specifiers that are lines; lines are `whole` numbers or not, from `least` quarters.
    """

    market: Market
    rank: int
    fixed: dict[str, str]
    around: tuple[str, ...] = ()
    whole: bool = False
    least: tuple[int, ...] = ()
    lines: int = 1

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


class OfferPlan:
    """One bookmaker's plans for a sport, one for each tier of leagues."""

    def __init__(
        self, catalogue: Catalogue, simulation: Simulation, sport: str, size: Size, leagues: Sequence[League]
    ) -> None:
        """Prepare for these leagues, of which each has as many matches: over all, the profile's size is the average."""
        shares = [_share(league.tier) for league in leagues]
        self._scale = len(shares) / sum(shares)
        self._catalogue = catalogue
        self._profile = simulation.profile
        self._offerable = simulation.offerables[sport]
        self._wanted = _wanted(simulation.profile, sport, size)
        self._plans = Memo(self._plan, _PLANS_KEPT)

    def of(self, tier: int) -> Plan:
        """Return what is offered on matches of leagues of a tier, from 1."""
        return self._plans[tier]

    def _plan(self, tier: int) -> Plan:
        items = [item for _, _, item in sorted(self._scored(), key=lambda entry: entry[0])]
        if self._wanted is None:
            return _families([item for item in items if item.rank < _LINES_OF_UNCOUNTED])
        budget = round(self._wanted * _share(tier) * self._scale)
        return _families(items[:budget] if self._profile.counts_lines else _of_first_markets(items, budget))

    def _scored(self) -> list[tuple[float, int, Item]]:
        """Return all that could be offered with a score, the lower the sooner: popular first, then further lines."""
        found: list[tuple[float, int, Item]] = []
        for place, key in enumerate(self._offerable.markets()):
            market = self._catalogue.market(key)
            spacing = _WIDE_SPACING if market.group in _WIDE_GROUPS else _SPACING
            for number, item in enumerate(self._items(market)):
                found.append((place + spacing * number, len(found), item))
        return found

    def _items(self, market: Market) -> list[Item]:
        """Return a market's items; none if it has specifiers whose values are not known."""
        implied = self._offerable.fixed(market.key)
        around = tuple(name for name in market.specifiers if name in lines.AROUND and name not in implied)
        choices = {
            name: sorted(implied[name], key=_by_number) if name in implied else lines.listed(market, name)
            for name in market.specifiers
            if name not in around
        }
        starts = [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]
        if not around:
            return [Item(market=market, rank=0, fixed=start) for start in starts]
        number = lines.lines_of(market)
        return [
            Item(
                market=market,
                rank=rank,
                fixed=start,
                around=around,
                whole=_is_whole(market, around),
                least=tuple(_LEAST.get(name, _NO_LEAST) for name in around),
                lines=number,
            )
            for rank in range(number)
            for start in starts
        ]


def _wanted(profile: Profile, sport: str, size: Size) -> int | None:
    """Return how many markets an event has on average; None for all."""
    if size not in profile.markets:
        return None
    return profile.markets[size] if sport == FOOTBALL else profile.other_sports.get(sport)


def _is_whole(market: Market, around: Collection[str]) -> bool:
    """Tell whether a market's lines are whole numbers: those that so many or exactly so many can be."""
    return lines.AT_LEAST in around or market.meaning.settles == "european_handicap" or "exact" in market.outcomes


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
