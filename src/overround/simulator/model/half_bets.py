"""What wins a bet on both halves of a match: for each outcome, which counts of home and away in each half pay."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from overround.simulator.model.bets import UnknownBetError

Halves = tuple[int, int, int, int]
"""Home and away in the first half, home and away in the second."""
HalvesWin = Callable[[Halves], float]
HalvesReading = Callable[[str], HalvesWin]

_BOTH_SCORES = re.compile(r"ht_(\d:\d|4\+)_ft_(\d:\d|4\+)")
_MANY = 4


def halves_reading(name: str) -> HalvesReading | None:
    """Return how the outcomes of a market on both halves are read; None if it is not one."""
    return _READINGS.get(name)


def _sign(home: int, away: int) -> str:
    return "draw" if home == away else "home" if home > away else "away"


def _half_time_full_time(outcome: str) -> HalvesWin:
    half, _, full = outcome.partition("_")
    if {half, full} - {"home", "draw", "away"}:
        raise UnknownBetError(outcome)

    def win(halves: Halves) -> float:
        home, away, later_home, later_away = halves
        return float(_sign(home, away) == half and _sign(home + later_home, away + later_away) == full)

    return win


def _scores(outcome: str) -> HalvesWin:
    found = _BOTH_SCORES.fullmatch(outcome)
    if found is None:
        raise UnknownBetError(outcome)

    def win(halves: Halves) -> float:
        home, away, later_home, later_away = halves
        return float(_score(home, away) == found[1] and _score(home + later_home, away + later_away) == found[2])

    return win


def _score(home: int, away: int) -> str:
    return f"{home}:{away}" if home + away < _MANY else "4+"


def _highest(count: Callable[[Halves], tuple[int, int]]) -> HalvesReading:
    def read(outcome: str) -> HalvesWin:
        if outcome not in ("first_half", "second_half", "equal"):
            raise UnknownBetError(outcome)

        def win(halves: Halves) -> float:
            first, second = count(halves)
            best = "equal" if first == second else "first_half" if first > second else "second_half"
            return float(best == outcome)

        return win

    return read


def _first_half_with(count: Callable[[Halves], tuple[int, int]]) -> HalvesReading:
    """Read in which half the first one comes."""

    def read(outcome: str) -> HalvesWin:
        if outcome not in ("first_half", "none", "second_half"):
            raise UnknownBetError(outcome)

        def win(halves: Halves) -> float:
            first, second = count(halves)
            return float(("first_half" if first else "second_half" if second else "none") == outcome)

        return win

    return read


def _once(outcome: str) -> HalvesWin:
    """Read a result that is that of the first half or of the match."""

    def win(halves: Halves) -> float:
        home, away, later_home, later_away = halves
        return float(outcome in (_sign(home, away), _sign(home + later_home, away + later_away)))

    return win


def _double_chances(outcome: str) -> HalvesWin:
    first, _, full = outcome.partition("_and_")
    of_half, of_match = first.split("_or_"), full.split("_or_")

    def win(halves: Halves) -> float:
        home, away, later_home, later_away = halves
        final = _sign(home + later_home, away + later_away)
        return float(_sign(home, away) in of_half and final in of_match)

    return win


def _yes(wins: Callable[[Halves], bool]) -> HalvesReading:
    def read(outcome: str) -> HalvesWin:
        if outcome not in ("yes", "no"):
            raise UnknownBetError(outcome)
        return lambda halves: float(wins(halves) == (outcome == "yes"))

    return read


def _pair(outcome: str) -> HalvesWin:
    first, _, second = outcome.partition("_")
    if {first, second} - {"yes", "no"}:
        raise UnknownBetError(outcome)

    def win(halves: Halves) -> float:
        both = min(halves[:2]) > 0, min(halves[2:]) > 0
        return float(both == (first == "yes", second == "yes"))

    return win


_READINGS: Mapping[str, HalvesReading] = MappingProxyType(
    {
        "half_time_full_time": _half_time_full_time,
        "half_time_full_time_correct_score": _scores,
        "highest_scoring_half": _highest(lambda halves: (halves[0] + halves[1], halves[2] + halves[3])),
        "home_highest_scoring_half": _highest(lambda halves: (halves[0], halves[2])),
        "away_highest_scoring_half": _highest(lambda halves: (halves[1], halves[3])),
        "home_win_both_halves": _yes(lambda halves: halves[0] > halves[1] and halves[2] > halves[3]),
        "away_win_both_halves": _yes(lambda halves: halves[0] < halves[1] and halves[2] < halves[3]),
        "home_win_either_half": _yes(lambda halves: halves[0] > halves[1] or halves[2] > halves[3]),
        "away_win_either_half": _yes(lambda halves: halves[0] < halves[1] or halves[2] < halves[3]),
        "home_score_both_halves": _yes(lambda halves: halves[0] > 0 and halves[2] > 0),
        "away_score_both_halves": _yes(lambda halves: halves[1] > 0 and halves[3] > 0),
        "half_both_teams_to_score_pair": _pair,
        "half_time_full_time_double_chance": _double_chances,
        "or_match_result": _once,
        "first_half": _first_half_with(lambda halves: (halves[0] + halves[1], halves[2] + halves[3])),
        "home_first_half": _first_half_with(lambda halves: (halves[0], halves[2])),
        "away_first_half": _first_half_with(lambda halves: (halves[1], halves[3])),
        "draw_in_either_half": _yes(lambda halves: halves[0] == halves[1] or halves[2] == halves[3]),
        "both_teams_to_score_both_halves": _yes(lambda halves: min(halves) > 0),
        "both_teams_to_score_either_half": _yes(lambda halves: min(halves[:2]) > 0 or min(halves[2:]) > 0),
    }
)
