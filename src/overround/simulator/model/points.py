"""Basketball: how far the sides are apart and how much they score together are normal, independent of each other.

A period has its share of the match's mean and variance, so that all markets of a match agree.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from overround.catalogue import Catalogue, Market
from overround.simulator.model.bets import Specifiers, UnknownBetError, in_quarters
from overround.simulator.model.expectancy import Expectancy

_MARGIN_OF_A_TILT = 13.0
_TOTAL_SPREAD, _MARGIN_SPREAD = 1.3, 0.95  # times the root of the points
_OVERTIME_POINTS = 0.12  # of the match's
_OVERTIME_DECAY = 0.75  # how much less likely each further point of an overtime's margin is
_SHARES: Mapping[str, float] = MappingProxyType({"first_half": 0.5, "second_half": 0.5, "quarter": 0.25})
_QUARTERS = 4
_WIDEST = 70
_MOST_OF_A_QUARTER = 120
_EXTREME = 1.03  # by how many standard deviations the best of four is above the mean
_BAND = re.compile(r"(home|away)_by_(\d+)(?:_(\d+|plus))?")

Chance = Callable[["BasketballOutlook"], float]


class Span(NamedTuple):
    """What part of the match counts, and whether an overtime does."""

    share: float = 1.0
    overtime: bool = False


class BasketballOutlook:
    """What one match promises."""

    def __init__(self, expectancy: Expectancy) -> None:
        tempo = math.sqrt(expectancy.home * expectancy.away) / expectancy.typical_goals
        self._total: float = expectancy.points * (tempo * expectancy.level) ** 0.2
        self._margin = _MARGIN_OF_A_TILT * math.log(expectancy.home / expectancy.away)

    def mean(self, what: str, share: float) -> float:
        """Return what is expected of a total, of a side, of the margin, or of the best or worst quarter."""
        total, margin = self._total * share, self._margin * share
        extreme = _EXTREME * _TOTAL_SPREAD * math.sqrt(total)
        means = {
            "match": total,
            "home": (total + margin) / 2,
            "away": (total - margin) / 2,
            "margin": margin,
            "highest": total + extreme,
            "lowest": total - extreme,
        }
        return means[what]

    def exceeds(self, what: str, span: Span, value: float) -> float:
        """Return the chance that a count, or the margin, is above a value that is on the half."""
        if what in ("highest", "lowest"):
            above = self.exceeds("match", span, value)
            return _all_four(above) if what == "lowest" else 1 - _all_four(1 - above)
        if what == "margin":
            return self._leads(span, value)
        regular = self._regular(what, span.share, value)
        if not span.overtime:
            return regular
        more = _OVERTIME_POINTS * self._total * (1.0 if what == "match" else 0.5)
        return regular + self.tie * (self._regular(what, 1.0, value - more) - regular)

    def level(self, share: float) -> float:
        """Return the chance that a period ends level."""
        return self._regular("margin", share, -0.5) - self._regular("margin", share, 0.5)

    @cached_property
    def tie(self) -> float:
        """Return the chance of an overtime."""
        return self.level(1.0)

    @cached_property
    def halves(self) -> Mapping[tuple[str, str], float]:
        """Return the chances of how the first half and the match end."""
        found = dict.fromkeys(((half, full) for half in _RESULTS for full in _RESULTS), 0.0)
        above = [self._regular("margin", 0.5, lead - 0.5) for lead in range(-_WIDEST, _WIDEST + 2)]
        for place, lead in enumerate(range(-_WIDEST, _WIDEST + 1)):
            here = above[place] - above[place + 1]
            behind = 2 * _WIDEST - place  # the place of a second half that makes up for the lead
            home, level = above[behind + 1], above[behind] - above[behind + 1]
            half = _result(lead)
            found[half, "home"] += here * home
            found[half, "draw"] += here * level
            found[half, "away"] += here * (1 - home - level)
        return found

    @cached_property
    def shared_best(self) -> float:
        """Return the chance that two quarters or more share the highest score."""
        below = [1 - self._regular("match", 0.25, points - 0.5) for points in range(_MOST_OF_A_QUARTER)]
        alone = sum((after - at) * at ** (_QUARTERS - 1) for at, after in pairwise(below))
        return max(0.0, 1 - _QUARTERS * alone)

    def _leads(self, span: Span, value: float) -> float:
        regular = self._regular("margin", span.share, value)
        if not span.overtime:
            return regular
        home, away = self._regular("margin", 1.0, 0.5), 1 - self._regular("margin", 1.0, -0.5)
        wins = home / (home + away)
        decay = _OVERTIME_DECAY ** int(abs(value))
        after = wins * decay if value > 0 else 1 - (1 - wins) * decay
        return regular + self.tie * (after - (value < 0))

    def _regular(self, what: str, share: float, value: float) -> float:
        root = math.sqrt(self._total * share)
        total, margin = _TOTAL_SPREAD * root, _MARGIN_SPREAD * root
        spread = {"match": total, "margin": margin}.get(what) or math.hypot(total, margin) / 2
        return 0.5 * math.erfc((value - self.mean(what, share)) / (spread * math.sqrt(2)))


def _all_four(chance: float) -> float:
    """Return the chance that something happens in all quarters."""
    return chance * chance * chance * chance


class PointsBet(msgspec.Struct, frozen=True):
    """The outcomes of one key."""

    wins: tuple[Chance, ...]
    what: str
    share: float

    def chances(self, outlook: BasketballOutlook) -> list[float]:
        """Return the chances of the outcomes."""
        return [win(outlook) for win in self.wins]

    def of(self, slots: Sequence[int]) -> "PointsBet":
        """Return the same bet with the outcomes at these places alone."""
        return PointsBet(tuple(self.wins[slot] for slot in slots), self.what, self.share)

    def middle(self, around: str, outlook: BasketballOutlook) -> int:
        """Return the line at which the sides of the bet are about as likely, in quarters."""
        if around == "handicap":
            return 2 * round(-2 * outlook.mean("margin", self.share))
        return 4 * int(outlook.mean(self.what, self.share)) + 2


def points_bet(market: Market, specifiers: Specifiers, catalogue: Catalogue) -> PointsBet:
    """Return a market's bet.

    Raises:
        UnknownBetError: there is no rule for it.
    """
    span = Span(_SHARES.get(market.meaning.period, 1.0), market.meaning.overtime)
    if market.meaning.counts == "quarters":
        span = Span(0.25)
    what = _counted(market)
    if market.parts:
        wins = _combined([points_bet(catalogue.market(part), specifiers, catalogue) for part in market.parts])
    else:
        wins = tuple(_win(market, outcome, what, span, specifiers) for outcome in market.outcomes)
    return PointsBet(wins, what, span.share)


def _combined(parts: Sequence[PointsBet]) -> tuple[Chance, ...]:
    """Return the wins of all pairs of outcomes: who is ahead says nothing about how many points there are."""
    first, second = parts
    return tuple(_both(one, other) for one in first.wins for other in second.wins)


def _both(one: Chance, other: Chance) -> Chance:
    return lambda outlook: one(outlook) * other(outlook)


def _counted(market: Market) -> str:
    for word in ("highest", "lowest"):
        if market.key.startswith(f"{word}_scoring_quarter_total"):
            return word
    return market.meaning.side if market.meaning.side in ("home", "away") else "match"


_RESULTS = ("home", "draw", "away")


def _result(lead: int) -> str:
    return "draw" if not lead else "home" if lead > 0 else "away"


def _win(market: Market, outcome: str, what: str, span: Span, specifiers: Specifiers) -> Chance:
    build = _SETTLED.get(market.meaning.settles)
    if build is None:
        return _special(market.key, outcome)
    return build(outcome, what, span, specifiers)


def _ahead(outcome: str, _: str, span: Span, specifiers: Specifiers) -> Chance:
    """Read who is ahead, with a start of whole points for the home side."""
    start = int(specifiers.get("handicap", "0"))
    if outcome == "home":
        return lambda outlook: outlook.exceeds("margin", span, 0.5 - start)
    if outcome == "away":
        return lambda outlook: 1 - outlook.exceeds("margin", span, -0.5 - start)
    if outcome == "draw":
        return lambda outlook: (
            outlook.exceeds("margin", span, -0.5 - start) - outlook.exceeds("margin", span, 0.5 - start)
        )
    raise UnknownBetError(outcome)


def _handicap(outcome: str, _: str, span: Span, specifiers: Specifiers) -> Chance:
    start = in_quarters(specifiers["handicap"])
    if outcome == "home":
        return lambda outlook: _at_line(outlook, "margin", span, -start)
    return lambda outlook: 1 - _at_line(outlook, "margin", span, -start)


def _total(outcome: str, what: str, span: Span, specifiers: Specifiers) -> Chance:
    line = in_quarters(specifiers["line"])
    if outcome == "over":
        return lambda outlook: _at_line(outlook, what, span, line)
    return lambda outlook: 1 - _at_line(outlook, what, span, line)


def _at_line(outlook: BasketballOutlook, what: str, span: Span, line: int) -> float:
    """Return the share of a win of what is to be above a line in quarters; on the line the stake comes back."""
    if line % 4 == 2:  # noqa: PLR2004 - on the half
        return outlook.exceeds(what, span, line / 4)
    step = 2 if line % 4 == 0 else 1
    return (_at_line(outlook, what, span, line - step) + _at_line(outlook, what, span, line + step)) / 2


def _three_way(outcome: str, what: str, span: Span, specifiers: Specifiers) -> Chance:
    line = in_quarters(specifiers["line"]) / 4
    if outcome == "over":
        return lambda outlook: outlook.exceeds(what, span, line + 0.5)
    if outcome == "under":
        return lambda outlook: 1 - outlook.exceeds(what, span, line - 0.5)
    return lambda outlook: outlook.exceeds(what, span, line - 0.5) - outlook.exceeds(what, span, line + 0.5)


def _margin(outcome: str, _: str, span: Span, __: Specifiers) -> Chance:
    if outcome == "other":
        return lambda outlook: outlook.exceeds("margin", span, -2.5) - outlook.exceeds("margin", span, 2.5)
    found = _BAND.fullmatch(outcome)
    if found is None:
        raise UnknownBetError(outcome)
    low = int(found[2]) - 0.5
    high = _WIDEST + 0.5 if found[3] == "plus" else int(found[3] or found[2]) + 0.5
    if found[1] == "away":
        low, high = -high, -low
    return lambda outlook: outlook.exceeds("margin", span, low) - outlook.exceeds("margin", span, high)


def _even(_: str, __: str, ___: Span, ____: Specifiers) -> Chance:
    return lambda _: 0.5


def _half_time_full_time(outcome: str, _: str, __: Span, ___: Specifiers) -> Chance:
    half, _, full = outcome.partition("_")
    return lambda outlook: outlook.halves[half, full]


_SETTLED: Mapping[str, Callable[[str, str, Span, Specifiers], Chance]] = MappingProxyType(
    {
        "winner": _ahead,
        "draw_no_bet": _ahead,
        "result": _ahead,
        "european_handicap": _ahead,
        "handicap": _handicap,
        "total": _total,
        "exact": _three_way,
        "margin": _margin,
        "odd_even": _even,
        "half_time_full_time": _half_time_full_time,
    }
)


def _special(key: str, outcome: str) -> Chance:
    if key == "highest_scoring_quarter":
        if outcome == "equal":
            return lambda outlook: outlook.shared_best
        return lambda outlook: (1 - outlook.shared_best) / _QUARTERS
    if key == "tied_after_regular_time":
        return lambda outlook: outlook.tie if outcome == "yes" else 1 - outlook.tie
    return _sweep(key, outcome)


_SWEEPS = (("both_halves", 0.5, 2), ("all_quarters", 0.25, 4))


def _sweep(key: str, outcome: str) -> Chance:
    """Read whether a side wins all halves or quarters; each says nothing about the others."""
    found = next(((share, number) for words, share, number in _SWEEPS if words in key), None)
    if found is None:
        raise UnknownBetError(key)
    sides = {side: _all_won(side, Span(found[0]), found[1]) for side in ("home", "away")}
    if outcome in sides:
        return sides[outcome]
    named = [win for side, win in sides.items() if f"points_{side}_" in key] or list(sides.values())
    if outcome == "yes":
        return lambda outlook: sum(win(outlook) for win in named)
    return lambda outlook: 1 - sum(win(outlook) for win in named)


def _all_won(side: str, span: Span, number: int) -> Chance:
    once = _ahead(side, "", span, {})
    return lambda outlook: once(outlook) ** number
