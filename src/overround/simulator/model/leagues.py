"""Leagues and clubs, tournaments and players, and how a bookmaker spells their names."""

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from overround.errors import SettingsError
from overround.simulator.model.noise import draw, stream, unit

_FILE = "leagues.toml"
_EVENTS_A_LEAGUE = 31
_EVENTS_A_LEAGUE_OF_FEW = 4
_OTHER_TEAMS = ("U21", "Women", "U19", "Reserves", "U23", "II", "U20", "U18", "U17", "Youth", "Amateurs", "B", "U16")
_LOWEST_TIER = 5
_NUMBERS_APART = 5_000  # the numbers of a sport's leagues from those of the next
_PLACES = 10  # of these, each sport but the first has one
FOOTBALL = "football"


class League(msgspec.Struct, frozen=True, kw_only=True):
    """A league: `tier` 1 is offered widest; `goals`, or in basketball `points`, are those of an average match."""

    country: str
    name: str
    tier: int
    goals: float = 2.6
    points: float = 0.0
    sport: str = FOOTBALL
    teams: tuple[str, ...]
    number: int = 0
    country_number: int = 0


class _LeaguesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    league: tuple[League, ...]


def leagues_of_places(events: int, sports: Sequence[str]) -> tuple[League, ...]:
    """Return the league of each place of a fixture list; every sport but the first has a tenth of the places."""
    chosen = [_sport_of(place, sports) for place in range(events)]
    leagues = {sport: leagues_for(chosen.count(sport), sport) for sport in set(chosen)}
    turns: Counter[str] = Counter()
    found: list[League] = []
    for sport in chosen:
        found.append(leagues[sport][turns[sport] % len(leagues[sport])])
        turns[sport] += 1
    return tuple(found)


def _sport_of(place: int, sports: Sequence[str]) -> str:
    number = _PLACES - 1 - place % _PLACES
    return sports[number + 1] if number < len(sports) - 1 else sports[0]


def leagues_for(events: int, sport: str = FOOTBALL) -> tuple[League, ...]:
    """Return the leagues that so many events of a sport are of.

    Raises:
        SettingsError: no league of that sport is known.
    """
    real = _real_leagues().get(sport, ())
    if not real:
        raise SettingsError(f"there is no {sport} to simulate, but: {', '.join(_real_leagues())}")
    wanted = max(-(-events // _EVENTS_A_LEAGUE), min(len(real), -(-events // _EVENTS_A_LEAGUE_OF_FEW)))
    return tuple(_league(real, number) for number in range(wanted))


@cache
def _real_leagues() -> Mapping[str, tuple[League, ...]]:
    """Return the leagues by sport."""
    text = files(__package__).joinpath(_FILE).read_text("utf-8")
    found = msgspec.convert(tomllib.loads(text), _LeaguesFile).league
    countries = {country: place for place, country in enumerate(dict.fromkeys(league.country for league in found), 1)}
    by_sport: dict[str, list[League]] = {}
    for league in found:
        numbered = msgspec.structs.replace(league, country_number=countries[league.country])
        by_sport.setdefault(league.sport, []).append(numbered)
    return {
        sport: tuple(msgspec.structs.replace(league, number=turn * _NUMBERS_APART) for league in leagues)
        for turn, (sport, leagues) in enumerate(by_sport.items())
    }


def _league(real: tuple[League, ...], number: int) -> League:
    turn, place = divmod(number, len(real))
    league = msgspec.structs.replace(real[place], number=real[place].number + number + 1)
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


_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "United": "Utd",
        "Manchester": "Man",
        "City": "C.",
        "Wanderers": "W.",
        "Town": "T.",
        "Atlético": "Atl.",
        "Athletic": "Ath.",
        "Deportivo": "Dep.",
        "Borussia": "Bor.",
        "Real": "R.",
        "Saint": "St.",
        "Sporting": "Sp.",
        "Dynamo": "Din.",
        "Warriors": "W.",
    }
)
_CLUB_WORDS = ("FC", "SC", "BK")
_LEAGUES_SHARE = 0.45  # of the share for teams


def team_name(key: int, name: str, share: float) -> str:
    """Return a team's name as the bookmaker of that stream spells it; `share` of the names are its own."""
    own = stream(key, "team", name)
    if unit(own, 0) >= share:
        return name
    ways = [spelled for spelled in (_shortened(name), _plain(name), _bare(name)) if spelled != name]
    return ways[draw(own, 1) % len(ways)] if ways else f"{name} {_CLUB_WORDS[draw(own, 2) % len(_CLUB_WORDS)]}"


def league_name(key: int, country: str, name: str, share: float) -> str:
    """Return a league's name as the bookmaker of that stream has it."""
    own = stream(key, "league", country, name)
    return f"{country} {name}" if unit(own, 0) < share * _LEAGUES_SHARE else name


def _shortened(name: str) -> str:
    return " ".join(_SHORT.get(word, word) for word in name.split())


def _plain(name: str) -> str:
    """Return the name without marks on its letters."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _bare(name: str) -> str:
    words = [word for word in name.split() if word not in _CLUB_WORDS]
    return " ".join(words)
