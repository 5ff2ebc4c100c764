"""How a bookmaker spells the names of teams and leagues: mostly as all do, at times in its own way."""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from overround.simulator.model.noise import draw, stream, unit

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
