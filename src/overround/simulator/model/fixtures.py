"""The fixture list: which matches there are at an instant, and when they start.

It has a fixed number of places. In each, one match follows another: when one kicks off, the next is
announced. So any instant can be asked for without those before it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from overround.simulator.model.leagues import League, leagues_of_places
from overround.simulator.model.noise import draw, stream, unit
from overround.simulator.model.parameters import Parameters

_DAY = 86_400
_QUARTER_HOUR = 900
_FIRST_KICKOFF = 2 * _QUARTER_HOUR
_SHORT_NOTICE, _LONG_NOTICE = 2 * _DAY, 8 * _DAY
_SHARE_AT_SHORT_NOTICE = 0.4
_SHARE_MOVED = 0.015
_IN_PLAY = timedelta(hours=2)
_TEAM_NUMBERS = 100
_LIST_LENGTH = 32_768
_NUMBERS_FROM = 40_000_000
_EVER = datetime.min.replace(tzinfo=UTC)


class Fixture(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A match: `key` is the stream of all that is drawn for it, `number` its SportRadar number.

    A match that is moved starts at `first_kickoff` for all who ask before `moved_at`.
    """

    key: int
    number: int
    league: League
    home: int
    away: int
    announced: datetime
    kickoff: datetime
    first_kickoff: datetime
    moved_at: datetime

    def kickoff_at(self, now: datetime) -> datetime:
        """Return the kick-off as it is known at an instant."""
        return self.kickoff if now >= self.moved_at else self.first_kickoff

    @property
    def listed_from(self) -> datetime:
        """Return since when bookmakers show the match: the first of its place always, for there is none before it."""
        return _EVER if self.number < _NUMBERS_FROM + _LIST_LENGTH else self.announced

    @property
    def over(self) -> datetime:
        """Return when nobody shows the match any more."""
        return self.kickoff + _IN_PLAY


class FixtureList:
    """All fixtures of a simulation."""

    def __init__(self, parameters: Parameters) -> None:
        self._events = parameters.events
        self._epoch = parameters.epoch
        self._leagues = leagues_of_places(parameters.events, parameters.sports)
        self._keys = tuple(stream(parameters.seed, "place", place) for place in range(parameters.events))
        self._periods = tuple(_period(key) for key in self._keys)
        self._phases = tuple(
            _FIRST_KICKOFF + int(unit(key, 1) * (period - _FIRST_KICKOFF))
            for key, period in zip(self._keys, self._periods, strict=True)
        )
        self._made: dict[tuple[int, int], Fixture] = {}

    @property
    def leagues(self) -> Mapping[str, Sequence[League]]:
        """Return the leagues by sport."""
        found: dict[str, dict[int, League]] = {}
        for league in self._leagues:
            found.setdefault(league.sport, {})[league.number] = league
        return {sport: tuple(leagues.values()) for sport, leagues in found.items()}

    def upcoming(self, now: datetime) -> list[Fixture]:
        """Return the match of every place that is to start next."""
        seconds = (now - self._epoch).total_seconds()
        return [self._fixture(place, self._round(place, seconds)) for place in range(self._events)]

    def numbered(self, number: int) -> Fixture | None:
        """Return a match by its number."""
        turn, place = divmod(number - _NUMBERS_FROM, _LIST_LENGTH)
        return self._fixture(place, turn) if turn >= 0 and place < self._events else None

    def _round(self, place: int, seconds: float) -> int:
        """Return which match of a place starts next, counted from the one at the epoch."""
        turn = max(0, int((seconds - self._phases[place]) // self._periods[place]))
        while self._kickoff_seconds(place, turn) <= seconds:
            turn += 1
        return turn

    def _kickoff_seconds(self, place: int, turn: int) -> int:
        exact = self._phases[place] + turn * self._periods[place]
        return exact - (int(self._epoch.timestamp()) + exact) % _QUARTER_HOUR

    def _fixture(self, place: int, turn: int) -> Fixture:
        found = self._made.get((place, turn))
        if found is None:
            if len(self._made) > 4 * self._events:
                self._made.clear()
            found = self._made[place, turn] = self._make(place, turn)
        return found

    def _make(self, place: int, turn: int) -> Fixture:
        key = stream(self._keys[place], "match", turn)
        league = self._leagues[place]
        home = draw(key, 1) % len(league.teams)
        kickoff = self._epoch + timedelta(seconds=self._kickoff_seconds(place, turn))
        announced = self._epoch + timedelta(seconds=self._kickoff_seconds(place, turn - 1))
        first_kickoff = kickoff
        moved_at = announced
        if unit(key, 3) < _SHARE_MOVED:
            first_kickoff = kickoff + timedelta(hours=(-3, -1, 1, 24)[draw(key, 4) % 4])
            moved_at = announced + (min(kickoff, first_kickoff) - announced) * (0.3 + 0.6 * unit(key, 5))
        return Fixture(
            key=key,
            number=_NUMBERS_FROM + turn * _LIST_LENGTH + place,
            league=league,
            home=home,
            away=(home + 1 + draw(key, 2) % (len(league.teams) - 1)) % len(league.teams),
            announced=announced,
            kickoff=kickoff,
            first_kickoff=first_kickoff,
            moved_at=moved_at,
        )


def team_number(league: League, team: int) -> int:
    """Return a number that is the team's alone."""
    return league.number * _TEAM_NUMBERS + team


def _period(key: int) -> int:
    notice = _SHORT_NOTICE if unit(key, 2) < _SHARE_AT_SHORT_NOTICE else _LONG_NOTICE
    return notice + draw(key, 3) % (notice // 4)
