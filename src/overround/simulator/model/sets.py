"""Tennis: a side wins a point on its own serve so often; games, sets and the match, best of three, follow from that."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from overround.catalogue import Market
from overround.simulator.model.bets import Specifiers, UnknownBetError, in_quarters, settled
from overround.simulator.model.expectancy import Expectancy
from overround.simulator.model.weights import Weights, adding, weights_of

_POINT_ON_SERVE = 0.62
_POINTS_OF_A_TILT = 0.045
_HOME_ADVANTAGE = 0.26  # of the tilt: nobody is at home
_LEAST, _MOST = 0.48, 0.78
_GAMES = 6
_TIE_BREAK = (_GAMES, _GAMES)


class Score(NamedTuple):
    """The games of a set."""

    home: int
    away: int


_SCORES = tuple(
    Score(*((6, other) if home else (other, 6)) if other <= 4 else ((7, other) if home else (other, 7)))  # noqa: PLR2004 - six games win with two more
    for home in (True, False)
    for other in range(7)
)
_HOME_WINS = 7  # of the scores: the others are the away side's


class Ending(NamedTuple):
    """How a match, or one set as a match of its own, ends; `nil` tells whether a set was won to nil."""

    first_to_home: bool
    home_sets: int
    away_sets: int
    home: int
    away: int
    nil: bool


Share = Callable[[Ending], float]


def _ending(sets: Sequence[Score]) -> Ending:
    won = sum(score.home > score.away for score in sets)
    return Ending(
        first_to_home=sets[0].home > sets[0].away,
        home_sets=won,
        away_sets=len(sets) - won,
        home=sum(score.home for score in sets),
        away=sum(score.away for score in sets),
        nil=any(not min(score) for score in sets),
    )


def _courses() -> Iterator[tuple[Score, ...]]:
    """Yield the courses of a match: those of two sets, then those of three, in the order of `_chances`."""
    home, away = _SCORES[:_HOME_WINS], _SCORES[_HOME_WINS:]
    for side in (home, away):
        yield from product(side, side)
    for one, other in ((home, away), (away, home)):
        yield from product(one, other, _SCORES)


def _chances(of_a_set: Sequence[float]) -> list[float]:
    """Return the chances of all courses of a match, by those of a set's scores."""
    home, away = of_a_set[:_HOME_WINS], of_a_set[_HOME_WINS:]
    two = [first * second for side in (home, away) for first in side for second in side]
    level = [first * second for one, other in ((home, away), (away, home)) for first in one for second in other]
    return two + [sets * third for sets in level for third in of_a_set]


class _Layout(NamedTuple):
    """The endings of a match that differ, and of each the courses that lead to it."""

    endings: tuple[Ending, ...]
    courses: tuple[Weights, ...]


@cache
def _layout() -> _Layout:
    leading: dict[Ending, list[int]] = {}
    for place, course in enumerate(_courses()):
        leading.setdefault(_ending(course), []).append(place)
    return _Layout(tuple(leading), tuple(adding(places) for places in leading.values()))


@cache
def _set_endings() -> tuple[Ending, ...]:
    return tuple(_ending([score]) for score in _SCORES)


class TennisOutlook:
    """What one match promises."""

    def __init__(self, expectancy: Expectancy) -> None:
        tilt = math.log(expectancy.home / expectancy.away) - _HOME_ADVANTAGE
        level = _POINT_ON_SERVE + 0.05 * (expectancy.level - 1)
        self._home = _game(_clamped(level + _POINTS_OF_A_TILT * tilt))
        self._away = _game(_clamped(level - _POINTS_OF_A_TILT * tilt))

    def cells(self, *, of_a_set: bool) -> Sequence[float]:
        """Return the chances of all endings of a set, or of the match."""
        return self._set if of_a_set else self._match

    def means(self, *, of_a_set: bool) -> tuple[float, float]:
        """Return how many games each side is expected to win."""
        endings = _set_endings() if of_a_set else _layout().endings
        cells = self.cells(of_a_set=of_a_set)
        home = sum(chance * ending.home for chance, ending in zip(cells, endings, strict=True))
        away = sum(chance * ending.away for chance, ending in zip(cells, endings, strict=True))
        return home, away

    @cached_property
    def _set(self) -> Sequence[float]:
        """Return the chances of a set's scores, whoever serves first."""
        orders = [self._set_served(first) for first in (True, False)]
        return [(one + other) / 2 for one, other in zip(*orders, strict=True)]

    @cached_property
    def _match(self) -> Sequence[float]:
        chances = _chances(self._set)
        return [courses.chance(chances) for courses in _layout().courses]

    def _set_served(self, home_serves: bool) -> list[float]:  # noqa: FBT001 - which of two
        """Return the chances of a set's scores if that side serves first."""
        reached: dict[tuple[int, int], float] = {(0, 0): 1.0}
        ended: dict[tuple[int, int], float] = {}
        for played in range(2 * _GAMES):
            serves = home_serves == (played % 2 == 0)
            wins = self._home if serves else 1 - self._away
            after: dict[tuple[int, int], float] = {}
            for (home, away), chance in reached.items():
                for score, share in (((home + 1, away), wins), ((home, away + 1), 1 - wins)):
                    into = ended if _is_over(*score) else after
                    into[score] = into.get(score, 0.0) + chance * share
            reached = after
        tie = reached.get(_TIE_BREAK, 0.0)
        better = self._home / (self._home + self._away)
        ended[7, 6], ended[6, 7] = tie * better, tie * (1 - better)
        return [ended.get(score, 0.0) for score in _SCORES]


def _is_over(home: int, away: int) -> bool:
    return max(home, away) >= _GAMES and abs(home - away) > 1


def _clamped(chance: float) -> float:
    return min(_MOST, max(_LEAST, chance))


def _game(point: float) -> float:
    """Return the chance to win a game that has this chance in every point."""
    deuce = point**2 / (point**2 + (1 - point) ** 2)
    return point**4 * (1 + 4 * (1 - point) + 10 * (1 - point) ** 2) + 20 * point**3 * (1 - point) ** 3 * deuce


class SetsBet(msgspec.Struct, frozen=True):
    """The outcomes of one key."""

    weights: tuple[Weights, ...]
    market: Market
    of_a_set: bool

    def chances(self, outlook: TennisOutlook) -> list[float]:
        """Return the chances of the outcomes."""
        cells = outlook.cells(of_a_set=self.of_a_set)
        return [weights.chance(cells) for weights in self.weights]

    def of(self, slots: Sequence[int]) -> "SetsBet":
        """Return the same bet with the outcomes at these places alone."""
        return SetsBet(tuple(self.weights[slot] for slot in slots), self.market, self.of_a_set)

    def middle(self, around: str, outlook: TennisOutlook) -> int:
        """Return the line at which the sides of the bet are about as likely, in quarters."""
        home, away = outlook.means(of_a_set=self.of_a_set)
        if self.market.meaning.counts == "sets":
            return 10 if around == "line" else -6 if home > away else 6
        if around == "handicap":
            return 2 * round(2 * (away - home))
        return 4 * int({"home": home, "away": away}.get(self.market.meaning.side, home + away)) + 2


def sets_bet(market: Market, specifiers: Specifiers) -> SetsBet:
    """Return a market's bet.

    Raises:
        UnknownBetError: there is no rule for it.
    """
    of_a_set = "set" in specifiers
    endings = _set_endings() if of_a_set else _layout().endings
    shares = [_share(market, outcome, specifiers) for outcome in market.outcomes]
    return SetsBet(tuple(weights_of(map(share, endings)) for share in shares), market, of_a_set)


def _share(market: Market, outcome: str, specifiers: Specifiers) -> Share:
    if market.key == "first_set_and_match_winner":
        first, _, winner = outcome.partition("_and_")
        return lambda end: float(end.first_to_home == (first == "home") and _won(end) == (winner == "home"))
    if market.parts:
        winner, _, total = outcome.partition("_and_")
        over = _total(total, lambda end: end.home + end.away, specifiers)
        return lambda end: over(end) * (_won(end) == (winner == "home"))
    build = _SETTLED.get(market.meaning.settles)
    if build is None:
        raise UnknownBetError(market.key)
    return build(market, outcome, specifiers)


def _won(end: Ending) -> bool:
    return end.home_sets > end.away_sets


def _winner(_: Market, outcome: str, __: Specifiers) -> Share:
    return lambda end: float(_won(end) == (outcome == "home"))


def _handicap(market: Market, outcome: str, specifiers: Specifiers) -> Share:
    start, sign = in_quarters(specifiers["handicap"]), 1 if outcome == "home" else -1
    if market.meaning.counts == "sets":
        return lambda end: settled(sign * (4 * (end.home_sets - end.away_sets) + start))
    return lambda end: settled(sign * (4 * (end.home - end.away) + start))


def _totals(market: Market, outcome: str, specifiers: Specifiers) -> Share:
    counts: Mapping[str, Callable[[Ending], int]] = {
        "home": lambda end: end.home,
        "away": lambda end: end.away,
        "match": lambda end: end.home + end.away,
    }
    if market.meaning.counts == "sets":
        return _total(outcome, lambda end: end.home_sets + end.away_sets, specifiers)
    return _total(outcome, counts[market.meaning.side], specifiers)


def _total(outcome: str, count: Callable[[Ending], int], specifiers: Specifiers) -> Share:
    line, sign = in_quarters(specifiers["line"]), 1 if outcome == "over" else -1
    return lambda end: settled(sign * (4 * count(end) - line))


def _exact(_: Market, outcome: str, __: Specifiers) -> Share:
    return lambda end: float(end.home_sets + end.away_sets == int(outcome))


def _score(market: Market, outcome: str, _: Specifiers) -> Share:
    scores = {tuple(map(int, text.split(":"))) for text in outcome.split("_")}
    if market.meaning.counts == "sets":
        return lambda end: float((end.home_sets, end.away_sets) in scores)
    return lambda end: float((end.home, end.away) in scores)


def _odd_even(_: Market, outcome: str, __: Specifiers) -> Share:
    return lambda end: float((end.home + end.away) % 2 == (outcome == "odd"))


def _yes_no(market: Market, outcome: str, specifiers: Specifiers) -> Share:
    happens = _HAPPENS.get(market.key)
    if market.key == "match_to_end":
        score = tuple(map(int, specifiers["score"].split(":")))
        return lambda end: float(((end.home_sets, end.away_sets) == score) == (outcome == "yes"))
    if happens is None:
        raise UnknownBetError(market.key)
    return lambda end: float(happens(end) == (outcome == "yes"))


_HAPPENS: Mapping[str, Callable[[Ending], bool]] = MappingProxyType(
    {
        "home_to_win_a_set": lambda end: end.home_sets > 0,
        "away_to_win_a_set": lambda end: end.away_sets > 0,
        "home_to_win_exactly_one_set": lambda end: end.home_sets == 1,
        "away_to_win_exactly_one_set": lambda end: end.away_sets == 1,
        "any_set_to_nil": lambda end: end.nil,
    }
)
_SETTLED: Mapping[str, Callable[[Market, str, Specifiers], Share]] = MappingProxyType(
    {
        "winner": _winner,
        "handicap": _handicap,
        "total": _totals,
        "exact": _exact,
        "correct_score": _score,
        "odd_even": _odd_even,
        "yes_no": _yes_no,
    }
)
