"""How alike two bookmakers' names of a match are, and which kind of teams they name."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import msgspec

from overround.records.event import Listing
from overround.records.folding import words_of

ALIKE: Final = 0.4
"""From this likeness on, two names may be of one team."""
TURNED: Final = 0.2
"""By so much the crossed likeness of two pairs exceeds the straight one where one of them is turned round."""

_LONG: Final = 6  # letters from which on a word weighs no more: "Manchester" tells as much as "United"
_SHORTEST_PREFIX: Final = 3
_SHORTEST_PART: Final = 4
_SPELT_ALIKE: Final = 0.8
_CLUB_WORDS: Final = frozenset(
    ("fc", "afc", "cf", "sc", "ac", "cd", "ud", "sk", "fk", "bk", "if", "sv", "vfl", "vfb", "club", "the", "de")
)
_SHORT_FORMS: Final = {"utd": "united", "st": "saint", "ath": "athletic", "atl": "atletico", "int": "international"}

_WOMEN: Final = frozenset(
    (
        *("women", "womens", "woman", "ladies", "girls", "fem", "feminine", "feminin", "feminines", "feminino"),
        *("feminina", "femenino", "femenina", "femminile", "frauen", "frauenliga", "damen", "dames", "vrouwen"),
        *("kvinner", "kvinder", "naiset", "damallsvenskan", "elitettan", "toppserien", "wsl", "nwsl", "wnba"),
    )
)
_RESERVES: Final = frozenset(("reserve", "reserves", "reservas", "res", "ii", "iii"))
_LAST_RESERVES: Final = frozenset(("b", "2"))
_AGES: Final = re.compile(r"\b(?:u|under) ?(1[3-9]|2[0-3])s?\b")
_YOUTH: Final = frozenset(("youth", "primavera", "juvenil", "juniores", "jugend"))
_SIMULATED: Final = frozenset(
    (
        *("srl", "simulated", "esoccer", "efootball", "ebasketball", "etennis", "ehockey", "ecricket"),
        *("esports", "esport", "cyber", "virtual", "virtuals"),
    )
)
_SIMULATED_PHRASES: Final = re.compile(
    r"\be (?:soccer|football|basketball|tennis|hockey|cricket|sports?)\b|\bgt (?:sports )?leagues?\b"
    r"|\b\d{1,2} ?(?:x ?\d{1,2} ?)?min(?:s|utes?)?\b"
)


class Likeness(msgspec.Struct, frozen=True):
    """Of two pairs of teams, 0 to 1: home with home, away with away, and the mean of each with the other's other."""

    home: float
    away: float
    crossed: float

    @property
    def straight(self) -> float:
        """Return the mean of home with home and away with away."""
        return (self.home + self.away) / 2

    @property
    def turned(self) -> bool:
        """Tell whether one pair seems to be the other turned round, as it may be in a derby too."""
        return self.crossed - self.straight > TURNED

    @property
    def same(self) -> bool:
        """Tell whether the two pairs may be of one match, with the same side at home."""
        return max(self.home, self.away) >= ALIKE and not self.turned


class Kind(msgspec.Struct, frozen=True):
    """Of which kind a match's teams are; `ages` are those that the names state, as 21 for "U21"."""

    women: bool
    youth: bool
    ages: frozenset[int]

    def fits(self, other: "Kind") -> bool:
        """Tell whether two listings may be of one match: sex agrees, and so do the ages."""
        if self.women is not other.women or self.youth is not other.youth:
            return False
        return not self.ages or not other.ages or bool(self.ages & other.ages)


def teams_likeness(one: Listing, other: Listing) -> Likeness:
    """Compare the teams of two listings; pairs that are alike as they stand are not compared crosswise."""
    home, away = likeness(one.home, other.home), likeness(one.away, other.away)
    crossed = 0.0
    if (home + away) / 2 < 1 - TURNED:
        crossed = (likeness(one.home, other.away) + likeness(one.away, other.home)) / 2
    return Likeness(home, away, crossed)


def likeness(one: str, other: str) -> float:
    """Return how alike two names of teams are, 0 to 1, by the share of their words that have a match."""
    first, second = _telling(one), _telling(other)
    if first == second:
        return 1.0
    if _is_acronym(first, second) or _is_acronym(second, first):
        return 1.0
    whole = sum(map(_weight, (*first, *second)))
    return (_matched(first, second) + _matched(second, first)) / whole if whole else 0.0


def kind_of(listing: Listing) -> Kind:
    """Return of which kind a listing's teams are, by their names and that of the tournament."""
    teams = (words_of(listing.home), words_of(listing.away))
    words = {*teams[0], *teams[1], *words_of(listing.tournament)}
    joined = "".join(f" {' '.join(group)} " for group in (*teams, words_of(listing.tournament)))
    ages = {int(age) for age in _AGES.findall(joined)}
    return Kind(
        women=bool(words & _WOMEN) or any(team[-1:] == ("w",) for team in teams),
        youth=bool(ages) or bool(words & _YOUTH),
        ages=frozenset(ages),
    )


def namesakes(one: str, other: str) -> bool:
    """Tell whether two names differ in nothing but that one is of a reserve team."""
    first, second = words_of(one), words_of(other)
    return _is_reserve(first) is not _is_reserve(second) and _without_reserve(first) == _without_reserve(second)


def is_simulated(listing: Listing) -> bool:
    """Tell whether a listing is of a match that no teams play: simulated reality, e-sports, virtual sports."""
    teams = {*words_of(listing.home), *words_of(listing.away)}
    around = (*words_of(listing.tournament), "/", *words_of(listing.country))
    if "srl" in teams or "esports" in teams or not _SIMULATED.isdisjoint(around):
        return True
    return _SIMULATED_PHRASES.search(" ".join(around)) is not None


def _telling(name: str) -> tuple[str, ...]:
    words = tuple(_SHORT_FORMS.get(word, word) for word in words_of(name))
    return tuple(word for word in words if word not in _CLUB_WORDS) or words


def _weight(word: str) -> int:
    return min(len(word), _LONG)


def _matched(words: Sequence[str], others: Sequence[str]) -> float:
    return sum(_weight(word) * max((_word_likeness(word, other) for other in others), default=0.0) for word in words)


def _word_likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    stem = short.removesuffix("s")
    if len(short) >= _SHORTEST_PREFIX and long.startswith(stem) and len(stem) >= _SHORTEST_PREFIX:
        return 0.9
    if len(stem) >= _SHORTEST_PART and stem in long:
        return 0.8
    ratio = SequenceMatcher(None, one, other).ratio()
    return ratio if ratio >= _SPELT_ALIKE else 0.0


def _is_acronym(words: Sequence[str], others: Sequence[str]) -> bool:
    initials = "".join(word[0] for word in others)
    return len(words) == 1 and len(others) >= _SHORTEST_PREFIX and words[0] == initials


def _is_reserve(words: Sequence[str]) -> bool:
    return not _RESERVES.isdisjoint(words) or (len(words) > 1 and words[-1] in _LAST_RESERVES)


def _without_reserve(words: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(word for word in words if word not in _RESERVES)
    return kept[:-1] if len(kept) > 1 and kept[-1] in _LAST_RESERVES else kept
