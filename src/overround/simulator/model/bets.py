"""The outcomes that win: for each bet, the final counts of home and away, or the orders of goals, that pay.

A bet is read from the market's key and the outcome's name, in the words that the catalogue uses throughout;
the word for what is counted has been taken out ("home_total_goals" is "home_total").
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from math import comb
from types import MappingProxyType


def led(ours: int, theirs: int, lead: int) -> float:
    """Return how likely a side once led by that much, given the final count (the reflection principle)."""
    if ours - theirs >= lead:
        return 1.0
    if ours < lead:
        return 0.0
    return comb(ours + theirs, theirs + lead) / comb(ours + theirs, ours)


@cache
def share_without_run(home: int, away: int, home_limit: int, away_limit: int) -> float:
    """Return the share of the orders of these goals in which neither side has so many in a row."""
    orders = _orders(home, away, home_limit, away_limit, True) + _orders(home, away, home_limit, away_limit, False)
    return orders / comb(home + away, home) if home + away else 1.0


@cache
def _orders(home: int, away: int, home_limit: int, away_limit: int, home_first: bool) -> int:  # noqa: FBT001 - whose run it is
    """Count the orders that begin with a run of one side shorter than its limit, followed by one of the other."""
    if not home and not away:
        return 1
    most = min(home, home_limit - 1) if home_first else min(away, away_limit - 1)
    count = 0
    for run in range(1, most + 1):
        left = (home - run, away) if home_first else (home, away - run)
        count += _orders(*left, home_limit, away_limit, not home_first) if any(left) else 1
    return count


@cache
def share_without_lead(home: int, away: int, home_limit: int, away_limit: int) -> float:
    """Return the share of the orders of these goals in which neither side leads by its limit."""
    if home - away >= home_limit or away - home >= away_limit:
        return 0.0
    if not home + away:
        return 1.0
    last_home = home * share_without_lead(home - 1, away, home_limit, away_limit) if home else 0.0
    last_away = away * share_without_lead(home, away - 1, home_limit, away_limit) if away else 0.0
    return (last_home + last_away) / (home + away)


Counts = tuple[int, int]
Win = Callable[[int, int], float]
"""From the home and the away side's count to the share of a win: 1 wins, 0 loses."""
Specifiers = Mapping[str, str]
Reading = Callable[[str, Specifiers], Win]

_RANGE = re.compile(r"(?:[a-z]+_)?(\d+)(?:_(\d+|plus))?(_plus)?")
_OUTRIGHT = re.compile(r"(\d+):(\d+)")
_MARGIN = re.compile(r"(home|away)_by_(\d+)(_plus)?")
_TERM = "home|draw|away|no|over_total|under_total|both_teams_to_score|any_clean_sheet"
_EITHER = re.compile(f"(?:{_TERM})(?:_or_(?:{_TERM}))+")
_BETWEEN = re.compile(r"(match_result|double_chance)_and_(\d)_(\d)")
_LEAD = re.compile(r"(any_team|home|away)_lead_by_(\d)")
_BEHIND = re.compile(r"(any_team|home|away)_win_from_behind")
_RUN = re.compile(r"(any_team|home|away)_(two|three)_in_a_row")
_EARLY = re.compile(r"(match_result|double_chance)_(one|two)_up")
_RUN_LENGTHS = MappingProxyType({"two": 2, "three": 3})
_NO_LIMIT = 99


class UnknownBetError(ValueError):
    """Nothing is known about a market or an outcome of that name."""


def reading(name: str) -> Reading:
    """Return how the outcomes of a market are read; `name` is its key without period and count.

    Raises:
        UnknownBetError: there is no rule for it; the reading raises it for an outcome, too.
    """
    if name in _READINGS:
        return _READINGS[name]
    for side, (first, second) in ((0, ("home_", "_home")), (1, ("away_", "_away"))):
        rest = name.removeprefix(first) if name.startswith(first) else name.removesuffix(second)
        if rest != name and rest in _ONE_SIDED:
            return _one_sided(side, _ONE_SIDED[rest])
    for pattern, build in _PATTERNS:
        found = pattern.fullmatch(name)
        if found:
            return build(found)
    raise UnknownBetError(name)


def _result(outcome: str, _: Specifiers) -> Win:
    parts = frozenset(outcome.split("_or_"))
    if not parts <= _RESULTS:
        raise UnknownBetError(outcome)
    return lambda home, away: float(_outcome(home, away) in parts)


def _outcome(home: int, away: int) -> str:
    return "draw" if home == away else "home" if home > away else "away"


def _yes(win: Callable[[int, int], bool]) -> Reading:
    def read(outcome: str, _: Specifiers) -> Win:
        if outcome not in ("yes", "no"):
            raise UnknownBetError(outcome)
        wanted = outcome == "yes"
        return lambda home, away: float(win(home, away) == wanted)

    return read


def in_quarters(value: str) -> int:
    """Return a line in quarters."""
    whole, _, part = value.lstrip("-").partition(".")
    quarters = 4 * int(whole) + {"": 0, "25": 1, "5": 2, "75": 3}[part]
    return -quarters if value.startswith("-") else quarters


def _total(outcome: str, specifiers: Specifiers) -> Win:
    quarters = in_quarters(specifiers["line"])
    if outcome not in ("over", "under"):
        raise UnknownBetError(outcome)
    sign = outcome == "over"
    return lambda home, away: (over := settled(4 * (home + away) - quarters)) * sign + (1 - over) * (not sign)


def settled(distance: int) -> float:
    """Return the share of a win at a distance from the line in quarters; on the line the stake comes back."""
    return 0.5 if not distance else {1: 0.75, -1: 0.25}.get(distance, float(distance > 0))


def _asian_handicap(outcome: str, specifiers: Specifiers) -> Win:
    quarters = in_quarters(specifiers["handicap"])
    sign = {"home": 1, "away": -1}.get(outcome)
    if sign is None:
        raise UnknownBetError(outcome)
    return lambda home, away: settled(sign * (4 * (home - away) + quarters))


def _european_handicap(outcome: str, specifiers: Specifiers) -> Win:
    start = int(specifiers["handicap"])
    result = _result(outcome, specifiers)
    return lambda home, away: result(home + start, away)


def _odd_even(outcome: str, _: Specifiers) -> Win:
    odd = {"odd": 1, "even": 0}.get(outcome)
    if odd is None:
        raise UnknownBetError(outcome)
    return lambda home, away: float((home + away) % 2 == odd)


def _range(outcome: str, _: Specifiers) -> Win:
    if outcome.startswith("no_"):
        return lambda home, away: float(home + away == 0)
    found = _RANGE.fullmatch(outcome)
    if found is None:
        raise UnknownBetError(outcome)
    least = int(found[1])
    most = _NO_LIMIT if found[3] or found[2] == "plus" else int(found[2] or least)
    return lambda home, away: float(least <= home + away <= most)


def _correct_score(outcome: str, _: Specifiers) -> Win:
    found = _OUTRIGHT.fullmatch(outcome)
    if found:
        score = int(found[1]), int(found[2])
        return lambda home, away: float((home, away) == score)
    if outcome == "other":
        return lambda home, away: float(home > _LISTED or away > _LISTED)
    raise UnknownBetError(outcome)


_LISTED = 4  # goals of a side up to which correct scores are listed


def _margin(outcome: str, specifiers: Specifiers) -> Win:
    found = _MARGIN.fullmatch(outcome)
    if found is None:
        return _result(outcome, specifiers)
    sign, least = (1 if found[1] == "home" else -1), int(found[2])
    most = _NO_LIMIT if found[3] else least
    return lambda home, away: float(least <= sign * (home - away) <= most)


def _which_team(outcome: str, _: Specifiers) -> Win:
    wins: Mapping[str, Win] = {
        "neither": lambda home, away: float(not home and not away),
        "home_only": lambda home, away: float(home > 0 and not away),
        "away_only": lambda home, away: float(away > 0 and not home),
        "both": lambda home, away: float(home > 0 and away > 0),
    }
    if outcome not in wins:
        raise UnknownBetError(outcome)
    return wins[outcome]


def _nth(outcome: str, specifiers: Specifiers) -> Win:
    """Read who has the n-th, counted from the first or the last: of a final count, every order is as likely."""
    number = int(next((value for name, value in specifiers.items() if name != "line"), "1"))
    wins: Mapping[str, Win] = {
        "none": lambda home, away: float(home + away < number),
        "home": lambda home, away: home / (home + away) if home + away >= number else 0.0,
        "away": lambda home, away: away / (home + away) if home + away >= number else 0.0,
    }
    if outcome not in wins:
        raise UnknownBetError(outcome)
    return wins[outcome]


def _first_and_result(outcome: str, specifiers: Specifiers) -> Win:
    scorer, _, result = outcome.partition("_goal_")
    if outcome == "no_goal":
        return _nth("none", specifiers)
    first, final = _nth(scorer, specifiers), _result(result.removesuffix("_win"), specifiers)
    return lambda home, away: first(home, away) * final(home, away)


def _multiscores(outcome: str, specifiers: Specifiers) -> Win:
    digits = [int(part) for part in outcome.split("_") if part.isdecimal()]
    scores = frozenset(zip(digits[::2], digits[1::2], strict=True))
    if scores:
        return lambda home, away: float((home, away) in scores)
    side = outcome.removeprefix("other_").removesuffix("_win")
    result, most = _result(side, specifiers), _MOST_LISTED if outcome.startswith("other_") else -1
    return lambda home, away: result(home, away) * (max(home, away) > most)


_MOST_LISTED = 5


def _either(found: re.Match[str]) -> Reading:
    """Read a bet that any one of several things comes true."""
    terms = found[0].split("_or_")

    def read(outcome: str, specifiers: Specifiers) -> Win:
        line = in_quarters(specifiers.get("line", "2.5"))
        happens: Mapping[str, Callable[[int, int], bool]] = {
            "no": lambda home, away: not home + away,
            "over_total": lambda home, away: 4 * (home + away) > line,
            "under_total": lambda home, away: 4 * (home + away) < line,
            "both_teams_to_score": lambda home, away: home > 0 and away > 0,
            "any_clean_sheet": lambda home, away: not home or not away,
        }

        def win(home: int, away: int) -> bool:
            result = _outcome(home, away)
            return any(happens[term](home, away) if term in happens else term == result for term in terms)

        return _yes(win)(outcome, specifiers)

    return read


def _between(found: re.Match[str]) -> Reading:
    """Read a result with so many goals."""
    least, most = int(found[2]), int(found[3])

    def read(outcome: str, specifiers: Specifiers) -> Win:
        final = _result(outcome, specifiers)
        return lambda home, away: final(home, away) * (least <= home + away <= most)

    return read


def _lead(found: re.Match[str]) -> Reading:
    """Read whether a side once leads by so much, however the match ends."""
    lead = int(found[2])
    home_limit = lead if found[1] in ("home", "any_team") else _NO_LIMIT
    away_limit = lead if found[1] in ("away", "any_team") else _NO_LIMIT

    def read(outcome: str, _: Specifiers) -> Win:
        if outcome not in ("yes", "no"):
            raise UnknownBetError(outcome)
        without = share_without_lead
        if outcome == "no":
            return lambda home, away: without(home, away, home_limit, away_limit)
        return lambda home, away: 1 - without(home, away, home_limit, away_limit)

    return read


def _behind(found: re.Match[str]) -> Reading:
    """Read whether a side wins that was once behind."""

    def read(outcome: str, _: Specifiers) -> Win:
        if outcome not in ("yes", "no"):
            raise UnknownBetError(outcome)

        def wins(home: int, away: int) -> float:
            ours = led(away, home, 1) if home > away and found[1] != "away" else 0.0
            theirs = led(home, away, 1) if away > home and found[1] != "home" else 0.0
            return ours + theirs

        return wins if outcome == "yes" else lambda home, away: 1 - wins(home, away)

    return read


def _other_than(outcome: str, specifiers: Specifiers) -> Win:
    """Read a bet that the count is not that one."""
    exactly = _range(outcome, specifiers)
    return lambda home, away: 1 - exactly(home, away)


def _one_of_scores(outcome: str, _: Specifiers) -> Win:
    """Read a bet on one of several final scores."""
    scores = frozenset(tuple(map(int, text.split(":"))) for text in outcome.split("_"))
    return lambda home, away: float((home, away) in scores)


def _early(found: re.Match[str]) -> Reading:
    """Read a result that is paid as soon as the side leads by so much."""
    lead = 1 if found[2] == "one" else 2

    def read(outcome: str, specifiers: Specifiers) -> Win:
        final, sides = _result(outcome, specifiers), frozenset(outcome.split("_or_"))

        def win(home: int, away: int) -> float:
            ahead = led(home, away, lead) if "home" in sides else 0.0
            behind = led(away, home, lead) if "away" in sides else 0.0
            return max(final(home, away), min(1.0, ahead + behind))

        return win

    return read


def _run(found: re.Match[str]) -> Reading:
    side, length = found[1], _RUN_LENGTHS[found[2]]
    home_limit = length if side in ("home", "any_team") else _NO_LIMIT
    away_limit = length if side in ("away", "any_team") else _NO_LIMIT

    def read(outcome: str, _: Specifiers) -> Win:
        if outcome not in ("yes", "no"):
            raise UnknownBetError(outcome)
        without = share_without_run
        if outcome == "no":
            return lambda home, away: without(home, away, home_limit, away_limit)
        return lambda home, away: 1 - without(home, away, home_limit, away_limit)

    return read


def _one_sided(side: int, read: Reading) -> Reading:
    """Read a bet on one side's count alone."""

    def of_side(outcome: str, specifiers: Specifiers) -> Win:
        win = read(outcome, specifiers)
        return (lambda home, _: win(home, 0)) if side == 0 else (lambda _, away: win(away, 0))

    return of_side


_RESULTS = frozenset(("home", "draw", "away"))
_SIDES: Mapping[str, int] = MappingProxyType({"home": 0, "away": 1})
_ONE_SIDED: Mapping[str, Reading] = MappingProxyType(
    {
        "total": _total,
        "odd_even": _odd_even,
        "exact": _range,
        "range": _range,
        "multigoals": _range,
        "bounds": _range,
        "excluded": _other_than,
        "to_score": _yes(lambda ours, _: ours > 0),
        "": _yes(lambda ours, _: ours > 0),
    }
)
_READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "match_result": _result,
        "double_chance": _result,
        "draw_no_bet": _result,
        "home_no_bet": _result,
        "away_no_bet": _result,
        "both_teams_to_score": _yes(lambda home, away: home > 0 and away > 0),
        "both_teams_to_score_two_plus": _yes(lambda home, away: min(home, away) > 1),
        "odd_even": _odd_even,
        "total": _total,
        "exact": _range,
        "range": _range,
        "multigoals": _range,
        "bounds": _range,
        "excluded": _other_than,
        "in": _yes(lambda home, away: home + away > 0),
        "draw_with": _yes(lambda home, away: home == away > 0),
        "no_draw_both_teams_to_score": _yes(lambda home, away: home != away and home > 0 and away > 0),
        "multi_correct_score_threes": _one_of_scores,
        "multi_correct_score_fours": _one_of_scores,
        "correct_score": _correct_score,
        "european_handicap": _european_handicap,
        "asian_handicap": _asian_handicap,
        "handicap": _asian_handicap,
        "winning_margin": _margin,
        "which_team_to_score": _which_team,
        "first": _nth,
        "last": _nth,
        "first_and_match_result": _first_and_result,
        "multiscores": _multiscores,
        "clean_sheet_home": _yes(lambda _, away: not away),
        "clean_sheet_away": _yes(lambda home, _: not home),
        "win_to_nil_home": _yes(lambda home, away: home > away and not away),
        "win_to_nil_away": _yes(lambda home, away: away > home and not home),
        "sending_off": _yes(lambda home, away: home + away > 0),
        "home_sending_off": _yes(lambda home, _: home > 0),
        "away_sending_off": _yes(lambda _, away: away > 0),
    }
)
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Reading]], ...] = (
    (_EITHER, _either),
    (_RUN, _run),
    (_EARLY, _early),
    (_BETWEEN, _between),
    (_LEAD, _lead),
    (_BEHIND, _behind),
)
