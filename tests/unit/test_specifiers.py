"""Specifiers in one spelling, and the patterns that find them."""

import pytest

from overround.bookmakers.mapping.patterns import Pattern
from overround.bookmakers.mapping.rules import canonical_value
from overround.catalogue import SpecifierKind
from overround.errors import CatalogueError, LineError


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SpecifierKind.DECIMAL, "2.50", "2.5"),
        (SpecifierKind.HANDICAP, "0:1", "-1"),
        (SpecifierKind.HANDICAP, "+0.50", "0.5"),
        (SpecifierKind.COUNT, "00000009", "9"),
        (SpecifierKind.COUNT, "1.0", "1"),
        (SpecifierKind.SCORE, "2 - 0", "2:0"),
        (SpecifierKind.NAME, "Doe, José María", "jose-maria-doe"),
        (SpecifierKind.NAME, "N'Golo Kanté", "ngolo-kante"),
        (SpecifierKind.WORD, "home", "home"),
    ],
)
def test_values_have_one_spelling(kind: SpecifierKind, text: str, value: str) -> None:
    """However a bookmaker writes a value, its key is the same."""
    assert canonical_value(kind, text) == value
    assert canonical_value(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SpecifierKind.DECIMAL, "abc"),
        (SpecifierKind.HANDICAP, "1:a"),
        (SpecifierKind.COUNT, "1.5"),
        (SpecifierKind.COUNT, "-1"),
        (SpecifierKind.COUNT, "99999"),
        (SpecifierKind.SCORE, "2"),
        (SpecifierKind.NAME, "梅西"),
        (SpecifierKind.WORD, "a|b=c"),
    ],
)
def test_what_is_no_value_is_refused(kind: SpecifierKind, text: str) -> None:
    """No text of a bookmaker's can put anything else into a key."""
    with pytest.raises(LineError):
        canonical_value(kind, text)


def test_a_pattern_reads_and_writes() -> None:
    """What is read is written again, digits with their zeros."""
    pattern = Pattern("800160:00000{team:1}{at_least:2}")
    assert pattern.names == {"team", "at_least"}
    assert pattern.read("800160:00000109") == {"team": "1", "at_least": "09"}
    assert pattern.write({"team": "1", "at_least": "9"}) == "800160:00000109"
    assert pattern.read("800161:00000109") is None
    assert Pattern("{_team} {at_least:d}+").read("Harbour United 12+") == {"_team": "Harbour United", "at_least": "12"}


@pytest.mark.parametrize("text", ["{", "{a b}", "{a}{a}", "{a:x}"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """A mistake in a mapping file is found when it is read."""
    with pytest.raises(CatalogueError, match="is no pattern"):
        _ = Pattern(text).names


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SpecifierKind.SCORE, "\u0661:\u0660"),
        (SpecifierKind.HANDICAP, "\u0661:\u0660"),
        (SpecifierKind.HANDICAP, "1_0:0"),
        (SpecifierKind.COUNT, "\u0663"),
        (SpecifierKind.DECIMAL, "1e1"),
    ],
)
def test_digits_are_ascii(kind: SpecifierKind, text: str) -> None:
    """Numbers of other scripts, underscores and exponents are no values of any kind."""
    with pytest.raises(LineError):
        canonical_value(kind, text)
