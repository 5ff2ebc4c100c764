"""The words in which markets are defined: what is counted, for whom, when, how it settles, by what it is specified."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec

from overround.catalogue.composition import Combinable
from overround.errors import CatalogueError

_FILE = "terms/vocabulary.toml"


class SpecifierKind(StrEnum):
    """What the values of a specifier are, and so how they are written in a key."""

    DECIMAL = "decimal"
    HANDICAP = "handicap"
    COUNT = "count"
    SCORE = "score"
    NAME = "name"
    WORD = "word"


class _Settlement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outcomes: tuple[str, ...] = ()
    specifiers: tuple[str, ...] = ()
    probability_sum: int | None = None


class _VocabularyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    counts: frozenset[str]
    sides: frozenset[str]
    periods: frozenset[str]
    specifiers: Mapping[str, SpecifierKind]
    settlements: Mapping[str, _Settlement]


class Vocabulary:
    """All words there are."""

    def __init__(self, words: _VocabularyFile) -> None:
        self._words = words

    def specifier_kind(self, name: str) -> SpecifierKind:
        """Return what the values of a specifier are.

        Raises:
            CatalogueError: there is no such specifier.
        """
        try:
            return self._words.specifiers[name]
        except KeyError:
            raise CatalogueError(f"{_FILE} has no specifier {name!r}") from None

    def settlement(self, name: str) -> Combinable:
        """Return what every market that settles like this has, as far as that is fixed.

        Raises:
            CatalogueError: there is no such settlement.
        """
        try:
            found = self._words.settlements[name]
        except KeyError:
            raise CatalogueError(f"{_FILE} has no settlement {name!r}") from None
        return Combinable(found.outcomes, found.specifiers, found.probability_sum)

    def refuse_unknown(self, counts: str, side: str, period: str) -> None:
        """Refuse words of a meaning that there are not.

        Raises:
            CatalogueError: one of them is not in the vocabulary.
        """
        for word, known in ((counts, self._words.counts), (side, self._words.sides), (period, self._words.periods)):
            if word not in known:
                raise CatalogueError(f"{_FILE} does not know {word!r}")


@cache
def load_vocabulary() -> Vocabulary:
    """Read the vocabulary that ships with the package.

    Raises:
        CatalogueError: it is not valid.
    """
    text = files(__package__).joinpath(_FILE).read_text("utf-8")
    try:
        return Vocabulary(msgspec.convert(tomllib.loads(text), _VocabularyFile))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{_FILE}: {error}") from error
