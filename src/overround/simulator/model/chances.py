"""The chances of a market's outcomes, worked out from independent Poisson counts of the two sides."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache, cached_property
from itertools import product, starmap
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from overround.bookmakers.kit.rendering import PLAYER
from overround.bookmakers.mapping.bookmaker_mapping import Memo
from overround.catalogue import Catalogue, Market
from overround.records.odds import MarketKey, specifiers_of
from overround.simulator.model import points, sets
from overround.simulator.model.bets import Specifiers, UnknownBetError, reading
from overround.simulator.model.expectancy import GOALS, Expectancy, first_half_share
from overround.simulator.model.half_bets import Halves, HalvesWin, halves_reading
from overround.simulator.model.lines import middle_for
from overround.simulator.model.noise import stream, unit
from overround.simulator.model.points import PointsBet
from overround.simulator.model.sets import SetsBet
from overround.simulator.model.weights import Weights, weights_of

_KEYS_KEPT = 50_000
_AND = "_and_"
_MINUTES = re.compile(r"(.*?)_(?:first_(\d+)_minutes|minutes)")
_MATCH_MINUTES = 90
_SINGULARS = MappingProxyType({"goals": "goal", "corners": "corner", "bookings": "booking"})
_MOST_PER_HALF = 4


_PER_HALF = range(_MOST_PER_HALF + 1)
_HALVES: tuple[Halves, ...] = tuple(
    (home, away, later_home, later_away)
    for home in _PER_HALF
    for away in _PER_HALF
    for later_home in _PER_HALF
    for later_away in _PER_HALF
)


class Period(StrEnum):
    """Which part of the match counts."""

    MATCH = "match"
    FIRST_HALF = "first_half"
    SECOND_HALF = "second_half"
    HALVES = "halves"
    MINUTES = "minutes"


class Field(NamedTuple):
    """Whose distribution a market is on: what is counted, when, and for minutes until which."""

    counted: str
    period: Period
    minutes: int = 0


_GOALS_OF_THE_MATCH = Field(GOALS, Period.MATCH)


class Bet(Protocol):
    """Some outcomes of a key, whose chances follow from a view."""

    def chances(self, view: "View") -> list[float]:
        """Return the chances of the outcomes; they need not add up to the market's sum yet."""


class ChanceRule(Protocol):
    """How the chances of a key come about."""

    def bet(self, slots: Sequence[int]) -> Bet:
        """Return the outcomes at these places."""

    def middle(self, around: str, view: "View") -> int:
        """Return the line of a specifier at which the sides of the bet are about as likely, in quarters."""


class _CountsRule(msgspec.Struct, frozen=True):
    """Implements `ChanceRule` and `Bet` on the final counts of both sides."""

    market: Market
    field: Field
    weights: tuple[Weights, ...]

    def bet(self, slots: Sequence[int]) -> "_CountsRule":
        return _CountsRule(self.market, self.field, tuple(self.weights[slot] for slot in slots))

    def chances(self, view: "View") -> list[float]:
        cells = view.cells(self.field)
        return [weights.chance(cells) for weights in self.weights]

    def middle(self, around: str, view: "View") -> int:
        return middle_for(self.market, around, *view.sides(self.field))


class _PointsRule(msgspec.Struct, frozen=True):
    """Implements `ChanceRule` and `Bet` for basketball."""

    of: PointsBet

    def bet(self, slots: Sequence[int]) -> "_PointsRule":
        return _PointsRule(self.of.of(slots))

    def chances(self, view: "View") -> list[float]:
        return self.of.chances(view.points)

    def middle(self, around: str, view: "View") -> int:
        return self.of.middle(around, view.points)


class _SetsRule(msgspec.Struct, frozen=True):
    """Implements `ChanceRule` and `Bet` for tennis."""

    of: SetsBet

    def bet(self, slots: Sequence[int]) -> "_SetsRule":
        return _SetsRule(self.of.of(slots))

    def chances(self, view: "View") -> list[float]:
        return self.of.chances(view.sets)

    def middle(self, around: str, view: "View") -> int:
        return self.of.middle(around, view.sets)


class Recipe(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """How the chances of some outcomes of a key come about; without a bet they are made up."""

    key: MarketKey
    market: Market
    slots: tuple[int, ...]
    bet: Bet | None = None

    def chances(self, view: "View") -> list[float]:
        """Return the chances of the outcomes at `slots`; they need not add up to the market's sum yet."""
        if self.bet is not None:
            return self.bet.chances(view)
        made_up = _made_up(self.market, self.key, view)
        return [made_up[slot] for slot in self.slots]


class View:
    """One expectancy, and the distributions that follow from it, each worked out when it is first needed."""

    def __init__(self, expectancy: Expectancy) -> None:
        self.expectancy = expectancy
        self._cells: dict[Field, Sequence[float]] = {}

    @cached_property
    def points(self) -> points.BasketballOutlook:
        """Return what the match promises in basketball."""
        return points.BasketballOutlook(self.expectancy)

    @cached_property
    def sets(self) -> sets.TennisOutlook:
        """Return what the match promises in tennis."""
        return sets.TennisOutlook(self.expectancy)

    def cells(self, field: Field) -> Sequence[float]:
        """Return the chances of all final counts of a field, in the order of `_grid`."""
        found = self._cells.get(field)
        if found is None:
            found = self._cells[field] = self._distribution(field)
        return found

    def sides(self, field: Field) -> tuple[float, float]:
        """Return how many each side is expected to have."""
        home, away = self.expectancy.sides(field.counted)
        part = _part(field)
        return home * part, away * part

    def _distribution(self, field: Field) -> Sequence[float]:
        if field.period is Period.HALVES:
            first, second = (
                self.sides(Field(field.counted, period)) for period in (Period.FIRST_HALF, Period.SECOND_HALF)
            )
            four = [_poisson(mean, _MOST_PER_HALF) for mean in (*first, *second)]
            early = [one * other for one in four[0] for other in four[1]]
            late = [one * other for one in four[2] for other in four[3]]
            return [one * other for one in early for other in late]
        home, away = self.sides(field)
        most = _most(field.counted)
        columns = _poisson(away, most)
        return [one * other for one in _poisson(home, most) for other in columns]


class Chances:
    """Works out the chances of every market of a catalogue; the way to each is found once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._rules = Memo(self._rule, _KEYS_KEPT)

    def recipe(self, key: MarketKey, slots: Sequence[int]) -> Recipe:
        """Return how to work out the chances of a key's outcomes at these places."""
        rule, market = self._rules[key], self._catalogue.market(key.market)
        bet = None if rule is None else rule.bet(slots)
        return Recipe(key=key, market=market, slots=tuple(slots), bet=bet)

    def middle(self, key: MarketKey, around: str, view: View) -> int:
        """Return the line of a key's specifier at which both sides are about as likely, in quarters."""
        rule = self._rules[key]
        if rule is not None:
            return rule.middle(around, view)
        return middle_for(self._catalogue.market(key.market), around, *view.sides(_GOALS_OF_THE_MATCH))

    def _rule(self, key: MarketKey) -> ChanceRule | None:
        market, specifiers = self._catalogue.market(key.market), specifiers_of(key)
        try:
            match market.sport:
                case "basketball":
                    return _PointsRule(points.points_bet(market, specifiers, self._catalogue))
                case "tennis":
                    return _SetsRule(sets.sets_bet(market, specifiers))
                case _:
                    return _counts_rule(market, specifiers)
        except (UnknownBetError, KeyError, ValueError):
            return None


def _counts_rule(market: Market, specifiers: Specifiers) -> _CountsRule:
    field, parts = _parsed(market, specifiers)
    if field.period is Period.HALVES:
        in_halves = [_in_halves(period, name, specifiers) for period, name in parts]
        tables = [cache(lambda text, read=read: list(map(read(text), _HALVES))) for read in in_halves]
    else:
        reads = [reading(name) for _, name in parts]
        counts = list(product(range(_most(field.counted) + 1), repeat=2))
        tables = [cache(lambda text, read=read: list(starmap(read(text, specifiers), counts))) for read in reads]
    return _CountsRule(market, field, tuple(weights_of(_together(tables, outcome)) for outcome in market.outcomes))


def _together(tables: Sequence[Callable[[str], Sequence[float]]], outcome: str) -> Sequence[float]:
    """Return the shares of a combination's outcome in all cells: what all its parts pay."""
    texts = _split(outcome, len(tables))
    shares = [table(text) for table, text in zip(tables, texts, strict=True)]
    return shares[0] if len(shares) == 1 else [math.prod(cell) for cell in zip(*shares, strict=True)]


def _split(outcome: str, parts: int) -> list[str]:
    texts = outcome.split(_AND) if parts > 1 else [outcome]
    if len(texts) != parts:
        raise UnknownBetError(outcome)
    return texts


def _in_halves(period: Period, name: str, specifiers: Specifiers) -> Callable[[str], HalvesWin]:
    """Return a part of a market on both halves as a reading of both: a part may be of one half or of the match."""
    found = halves_reading(name)
    if found:
        return found
    read = reading(name)

    def of_halves(outcome: str) -> HalvesWin:
        win = read(outcome, specifiers)
        if period is Period.FIRST_HALF:
            return lambda halves: win(halves[0], halves[1])
        if period is Period.SECOND_HALF:
            return lambda halves: win(halves[2], halves[3])
        return lambda halves: win(halves[0] + halves[2], halves[1] + halves[3])

    return of_halves


def _parsed(market: Market, specifiers: Specifiers) -> tuple[Field, list[tuple[Period, str]]]:
    """Return what a market is on, and its parts by name and period."""
    key, count = market.key, market.meaning.counts
    whole = halves_reading(key) is not None or _is_whole(_without_count(key, count))
    texts = [key] if whole else market.parts or key.split(_AND)
    parts = [_period(_without_count(text, count)) for text in texts]
    minutes = int(next((found for _, _, found in parts if found), specifiers.get("minute", "0")))
    period = _common_period([period for period, _, _ in parts], named=not whole and bool(market.parts))
    if any(halves_reading(name) for _, name, _ in parts):
        period = Period.HALVES
    return Field(count, period, minutes if period is Period.MINUTES else 0), [(at, name) for at, name, _ in parts]


def _common_period(periods: Sequence[Period], *, named: bool) -> Period:
    """Return when all parts are counted; parts that the catalogue does not name are of the first one's period."""
    first, others = periods[0], set(periods[1:])
    shared = {first} if named else {first, Period.MATCH}
    return first if others <= shared else Period.HALVES


def _is_whole(name: str) -> bool:
    try:
        reading(name)
    except UnknownBetError:
        return False
    return True


def _without_count(text: str, count: str) -> str:
    """Return a part of a key without the words for what is counted: "first_goal" is "first"."""
    if count in _SINGULARS:
        words = (count, _SINGULARS[count])
        return "_".join(part for part in text.split("_") if part not in words)
    return text.replace(count, "").replace("__", "_").strip("_")


def _period(text: str) -> tuple[Period, str, str]:
    minutes = _MINUTES.fullmatch(text)
    if minutes:
        return Period.MINUTES, minutes[1], minutes[2] or ""
    for period in (Period.FIRST_HALF, Period.SECOND_HALF):
        if text.startswith(f"{period}_"):
            return period, text.removeprefix(f"{period}_"), ""
    return Period.MATCH, text, ""


def _part(field: Field) -> float:
    if field.period is Period.FIRST_HALF:
        return first_half_share(field.counted)
    if field.period is Period.SECOND_HALF:
        return 1 - first_half_share(field.counted)
    return field.minutes / _MATCH_MINUTES if field.period is Period.MINUTES else 1.0


_MOST: Mapping[str, int] = MappingProxyType(
    {
        GOALS: 8,
        "booking_points": 60,
        "corners": 15,
        "fouls": 26,
        "goal_kicks": 22,
        "penalties": 3,
        "red_cards": 3,
        "shots": 32,
        "shots_on_target": 16,
        "tackles": 38,
        "throw_ins": 42,
        "woodwork": 4,
    }
)
_MOST_OF_OTHERS = 12


def _most(count: str) -> int:
    """Return up to which count of one side chances are told apart."""
    return _MOST.get(count, _MOST_OF_OTHERS)


def _poisson(mean: float, most: int) -> list[float]:
    """Return the chances of 0 to `most`, which stands for all beyond it, too."""
    chance = math.exp(-mean)
    chances = [chance]
    for count in range(1, most):
        chance *= mean / count
        chances.append(chance)
    chances.append(max(0.0, 1 - sum(chances)))
    return chances


def _made_up(market: Market, key: MarketKey, view: View) -> Sequence[float]:
    """Return chances for a market that no rule knows: always the same ones, tilted to the better side."""
    if len(market.outcomes) == 1:
        return (_single(market, key, view),)
    expectancy = view.expectancy
    tilt = math.log(expectancy.home / expectancy.away)
    names = stream(0, key.market, key.specifiers)
    weights = []
    for place, outcome in enumerate(market.outcomes):
        lean = tilt if outcome.startswith("home") else -tilt if outcome.startswith("away") else expectancy.level - 1
        weights.append((0.35 + unit(names, place)) * math.exp(0.4 * lean))
    total = (market.probability_sum or max(1, len(market.outcomes) // 3)) / sum(weights)
    return [min(0.95, weight * total) for weight in weights]


def _single(market: Market, key: MarketKey, view: View) -> float:
    """Return the chance of a bet that stands alone: so many or more, by the match, a team or a player."""
    specifiers = specifiers_of(key)
    mean = single_mean(market, specifiers, view)
    least = int(specifiers.get("at_least", "1"))
    return max(0.002, 1 - sum(_poisson(mean, least)[:-1]))


def single_mean(market: Market, specifiers: Specifiers, view: View) -> float:
    """Return how many are expected of what a bet that stands alone counts."""
    period = Period(market.meaning.period) if market.meaning.period in tuple(Period) else Period.MATCH
    home, away = view.sides(Field(market.meaning.counts, period))
    if PLAYER in specifiers:
        share = unit(stream(0, market.key, specifiers[PLAYER]), 1)
        return (home + away) / 2 * (0.03 + 0.22 * share)
    return {"home": home, "away": away}.get(specifiers.get("team", ""), home + away)
