"""How many goals, corners and cards a match promises, and how that changes: it drifts, and now and then it jumps."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from overround.simulator.model.fixtures import Fixture
from overround.simulator.model.noise import normal, paths, stream, unit, wander

GOALS = "goals"
# What a match has of other things that are counted, on average, and how much the better side has more of it.
_COUNTED: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "corners": (9.8, 0.55),
        "bookings": (4.4, -0.25),
        "cards": (4.6, -0.25),
        "booking_points": (46.0, -0.25),
        "red_cards": (0.22, -0.25),
        "shots_on_target": (8.6, 0.7),
        "shots": (24.5, 0.6),
        "fouls": (23.0, -0.15),
        "offsides": (3.6, 0.2),
        "saves": (5.8, -0.5),
        "tackles": (34.0, 0.0),
        "throw_ins": (41.0, 0.0),
        "goal_kicks": (15.0, -0.4),
        "passes": (80.0, 0.4),
        "substitutions": (8.8, 0.0),
        "woodwork": (0.6, 0.4),
        "penalties": (0.28, 0.3),
        "own_goals": (0.09, 0.0),
    }
)
_OTHERS = (2.2, 0.3)
_FIRST_HALF_SHARES: Mapping[str, float] = MappingProxyType(
    {GOALS: 0.445, "bookings": 0.36, "cards": 0.36, "red_cards": 0.25, "substitutions": 0.09}
)
_OTHER_FIRST_HALF_SHARE = 0.48

_COMMONS_KEPT = 64
_PACE = 0.0011
_JUMP_WINDOW = 128
_JUMP_CHANCE = 0.08
_JUMP_SIZE = 0.10
_HOME_ADVANTAGE = 0.13
_STRENGTH_SPREAD = 0.28
_LEVEL_SPREAD = 0.12
_LEAST, _MOST = 0.18, 4.8


class Expectancy(msgspec.Struct, frozen=True, eq=False):
    """What one match promises at a tick: goals of each side, and a level that moves all else that is counted.

    `roster` is a number by which the players are picked. In other sports than football the goals tell how much
    better one side is, and `points` what an average match of the league has.
    """

    home: float
    away: float
    level: float
    roster: int = 0
    points: float = 0.0
    typical_goals: float = 1.3

    def sides(self, count: str) -> tuple[float, float]:
        """Return how many each side has in the whole match."""
        if count == GOALS:
            return self.home, self.away
        total, tilt = _COUNTED.get(count, _OTHERS)
        share = 1 / (1 + (self.away / self.home) ** tilt)
        return total * self.level * share, total * self.level * (1 - share)


def first_half_share(count: str) -> float:
    """Return which share of a count falls into the first half."""
    return _FIRST_HALF_SHARES.get(count, _OTHER_FIRST_HALF_SHARE)


class Prospect:
    """One match's expectancy over time."""

    def __init__(self, fixture: Fixture) -> None:
        self.fixture = fixture
        key, league = fixture.key, fixture.league
        self._tempo, self._tilt, self._level = (paths(key, name) for name in ("tempo", "tilt", "level"))
        self._jumps = stream(key, "jumps")
        self._jump_ticks: dict[int, int | None] = {}
        self._commons: dict[int, tuple[float, float, float]] = {}
        strengths = stream(league.number, "strength", league.name)
        better = _STRENGTH_SPREAD * (normal(strengths, fixture.home) - normal(strengths, fixture.away))
        half = math.log(league.goals / 2)
        self._home = half + _HOME_ADVANTAGE + better
        self._away = half - _HOME_ADVANTAGE - better
        self._own_level = _LEVEL_SPREAD * normal(key, 21)
        self._roster = key & 0xFFFF
        self._points = league.points
        self._typical_goals = league.goals / 2

    def at(self, tick: int, opinion: int, doubt: float) -> Expectancy:
        """Return what the match promises at a tick, as seen by whoever prices it.

        `opinion` is the stream of that view, and `doubt` its standard deviation around the common one.
        """
        home, away, level = self._common(tick)
        home += doubt * normal(opinion, 1)
        away += doubt * normal(opinion, 2)
        level += doubt * normal(opinion, 3)
        return Expectancy(
            home=min(_MOST, max(_LEAST, math.exp(home))),
            away=min(_MOST, max(_LEAST, math.exp(away))),
            level=math.exp(level),
            roster=self._roster,
            points=self._points,
            typical_goals=self._typical_goals,
        )

    def _common(self, tick: int) -> tuple[float, float, float]:
        """Return the logarithms of what the match promises to everyone: families are priced at few different ticks."""
        found = self._commons.get(tick)
        if found is None:
            if len(self._commons) >= _COMMONS_KEPT:
                self._commons.clear()
            tempo, tilt = _PACE * wander(self._tempo, tick), _PACE * wander(self._tilt, tick)
            home, away = self._jumped(tick)
            level = self._own_level + _PACE * wander(self._level, tick)
            found = self._home + tempo + tilt + home, self._away + tempo - tilt + away, level
            self._commons[tick] = found
        return found

    def jumps_at(self, tick: int) -> bool:
        """Tell whether the promise jumps at a tick, as it does on news of a team."""
        return self._jump(tick // _JUMP_WINDOW) == tick

    def _jump(self, window: int) -> int | None:
        """Return the tick of the jump in a window of ticks, if there is one."""
        if window not in self._jump_ticks:
            there_is_one = unit(self._jumps, 4 * window) < _JUMP_CHANCE
            at = window * _JUMP_WINDOW + int(unit(self._jumps, 4 * window + 1) * _JUMP_WINDOW)
            self._jump_ticks[window] = at if there_is_one else None
        return self._jump_ticks[window]

    def _jumped(self, tick: int) -> tuple[float, float]:
        """Return by how much jumps have changed the logarithms of the goals; a window later they are forgotten."""
        home = away = 0.0
        for window in (tick // _JUMP_WINDOW, tick // _JUMP_WINDOW - 1):
            at = self._jump(window)
            if at is not None and at <= tick < at + _JUMP_WINDOW:
                size = _JUMP_SIZE * (1 - (tick - at) / _JUMP_WINDOW)
                home += size * normal(self._jumps, 4 * window + 2)
                away += size * normal(self._jumps, 4 * window + 3)
        return home, away
