"""Specifiers' values as bookmakers write them, in the one spelling that keys have."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from overround.catalogue import SpecifierKind
from overround.errors import LineError
from overround.records.odds import canonical_line

_SCORE = re.compile(r"(\d{1,3})\s*[:-]\s*(\d{1,3})")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_MAX_DIGITS = 4


def _handicap(text: str) -> str:
    """Return a handicap on the home side's count; "1:0" is a start of one for the home side."""
    home, colon, away = text.partition(":")
    if colon and home.isdecimal() and away.isdecimal():
        return canonical_line(str(int(home) - int(away)))
    return canonical_line(text)


def _count(text: str) -> str:
    digits = canonical_line(text)
    if not digits.isdecimal() or len(digits) > _MAX_DIGITS:
        raise LineError(f"{text[:40]!r} is no number of things")
    return digits


def _score(text: str) -> str:
    found = _SCORE.fullmatch(text.strip())
    if not found:
        raise LineError(f"{text[:40]!r} is no score")
    return f"{int(found[1])}:{int(found[2])}"


def _name(text: str) -> str:
    """Return a person's name as lower-case words, joined by hyphens; "Doe, John" is John Doe.

    Bookmakers give the same player different ids and accents, so that the name is all that joins them.
    """
    last, comma, first = text.partition(",")
    words = f"{first} {last}" if comma else text
    letters = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode()
    slug = "-".join(re.findall(r"[a-z0-9]+", letters.replace("'", "")))
    if not slug:
        raise LineError(f"{text[:40]!r} is no name")
    return slug


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise LineError(f"{text[:40]!r} is none of our words")
    return text


_CONVERSIONS: Final[Mapping[SpecifierKind, Callable[[str], str]]] = {
    SpecifierKind.DECIMAL: canonical_line,
    SpecifierKind.HANDICAP: _handicap,
    SpecifierKind.COUNT: _count,
    SpecifierKind.SCORE: _score,
    SpecifierKind.NAME: _name,
    SpecifierKind.WORD: _word,
}


def canonical_value(kind: SpecifierKind, text: str) -> str:
    """Return a specifier's value as it stands in a key.

    Raises:
        LineError: it is no value of that kind.
    """
    return _CONVERSIONS[kind](text)
