"""Leagues and clubs: real ones, and for long fixture lists their other teams."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

_FILE = "leagues.toml"
_EVENTS_A_LEAGUE = 31
_EVENTS_A_LEAGUE_OF_FEW = 4
_OTHER_TEAMS = ("U21", "Women", "U19", "Reserves", "U23", "II", "U20", "U18", "U17", "Youth", "Amateurs", "B", "U16")
_LOWEST_TIER = 5


class League(msgspec.Struct, frozen=True, kw_only=True):
    """A league: `tier` 1 is offered widest, `goals` are those of an average match."""

    country: str
    name: str
    tier: int
    goals: float
    teams: tuple[str, ...]
    number: int = 0
    country_number: int = 0


class _LeaguesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    league: tuple[League, ...]


def leagues_for(events: int) -> tuple[League, ...]:
    """Return the leagues that so many events are of."""
    real = _real_leagues()
    wanted = max(-(-events // _EVENTS_A_LEAGUE), min(len(real), -(-events // _EVENTS_A_LEAGUE_OF_FEW)))
    return tuple(_league(real, number) for number in range(wanted))


@cache
def _real_leagues() -> tuple[League, ...]:
    text = files(__package__).joinpath(_FILE).read_text("utf-8")
    found = msgspec.convert(tomllib.loads(text), _LeaguesFile).league
    countries = {country: place for place, country in enumerate(dict.fromkeys(league.country for league in found), 1)}
    return tuple(msgspec.structs.replace(league, country_number=countries[league.country]) for league in found)


def _league(real: tuple[League, ...], number: int) -> League:
    turn, place = divmod(number, len(real))
    league = msgspec.structs.replace(real[place], number=number + 1)
    if not turn:
        return league
    kind = _OTHER_TEAMS[(turn - 1) % len(_OTHER_TEAMS)]
    group = f" Group {1 + (turn - 1) // len(_OTHER_TEAMS)}" if turn > len(_OTHER_TEAMS) else ""
    return msgspec.structs.replace(
        league,
        name=f"{league.name} {kind}{group}",
        tier=_LOWEST_TIER,
        teams=tuple(f"{team} {kind}" for team in league.teams),
    )
