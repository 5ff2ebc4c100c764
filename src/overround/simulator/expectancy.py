"""How many goals, corners and cards a match promises, and how that changes: it drifts, and now and then it jumps."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from overround.simulator.fixtures import Fixture
from overround.simulator.noise import normal, stream, unit, wander

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

_PERIODS = (16, 64, 256, 1024)
_PACE = 0.0011
_JUMP_WINDOW = 128
_JUMP_CHANCE = 0.08
_JUMP_SIZE = 0.10
_HOME_ADVANTAGE = 0.13
_STRENGTH_SPREAD = 0.28
_LEAST, _MOST = 0.18, 4.8


class Expectancy(msgspec.Struct, frozen=True, eq=False):
    """What one match promises at a tick: goals of each side, and a level that moves all else that is counted.

    `roster` is a number by which the players are picked.
    """

    home: float
    away: float
    level: float
    roster: int = 0

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


def expectancy(fixture: Fixture, tick: int, opinion: int, doubt: float) -> Expectancy:
    """Return what a match promises at a tick, as seen by whoever prices it.

    `opinion` names the stream of that view and `doubt` is its standard deviation around the common one.
    """
    key = fixture.key
    tempo = wander(stream(key, "tempo"), tick, _PERIODS) * _PACE
    tilt = wander(stream(key, "tilt"), tick, _PERIODS) * _PACE
    level = wander(stream(key, "level"), tick, _PERIODS) * _PACE
    home_jump, away_jump = _jumped(fixture, tick)
    strength = _strength(fixture, fixture.home) - _strength(fixture, fixture.away)
    half = math.log(fixture.league.goals / 2)
    home = half + _HOME_ADVANTAGE + strength + tempo + tilt + home_jump + doubt * normal(opinion, 1)
    away = half - _HOME_ADVANTAGE - strength + tempo - tilt + away_jump + doubt * normal(opinion, 2)
    return Expectancy(
        home=min(_MOST, max(_LEAST, math.exp(home))),
        away=min(_MOST, max(_LEAST, math.exp(away))),
        level=math.exp(0.12 * normal(key, 21) + level + doubt * normal(opinion, 3)),
        roster=key & 0xFFFF,
    )


def jump_between(fixture: Fixture, window: int) -> int | None:
    """Return the tick of the jump in a window of ticks, if there is one."""
    jumps = stream(fixture.key, "jumps")
    if unit(jumps, 4 * window) >= _JUMP_CHANCE:
        return None
    return window * _JUMP_WINDOW + int(unit(jumps, 4 * window + 1) * _JUMP_WINDOW)


def jumps_at(fixture: Fixture, tick: int) -> bool:
    """Tell whether the match's promise jumps at a tick."""
    return jump_between(fixture, tick // _JUMP_WINDOW) == tick


def _jumped(fixture: Fixture, tick: int) -> tuple[float, float]:
    """Return by how much the last two windows' jumps have changed the logarithms of the goals.

    Older ones are forgotten by then: what the news was worth has become common knowledge.
    """
    jumps = stream(fixture.key, "jumps")
    home = away = 0.0
    for window in (tick // _JUMP_WINDOW, tick // _JUMP_WINDOW - 1):
        at = jump_between(fixture, window)
        if at is not None and at <= tick:
            fading = max(0.0, 1 - (tick - at) / _JUMP_WINDOW)
            home += fading * _JUMP_SIZE * normal(jumps, 4 * window + 2)
            away += fading * _JUMP_SIZE * normal(jumps, 4 * window + 3)
    return home, away


def _strength(fixture: Fixture, team: int) -> float:
    return _STRENGTH_SPREAD * normal(stream(fixture.league.number, "strength", fixture.league.name), team)
