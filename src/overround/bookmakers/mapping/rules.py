"""One entry of a mapping file: validated against the catalogue, and applied to the texts on the wire."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from overround.bookmakers.mapping.patterns import OWN, Pattern
from overround.catalogue import Catalogue, Market, SpecifierKind
from overround.errors import CatalogueError, LineError
from overround.records.odds import MarketKey, canonical_line, specifiers_text

_SCORE = re.compile(r"([0-9]{1,3})\s*[:-]\s*([0-9]{1,3})")
_START = re.compile(r"([0-9]{1,3}):([0-9]{1,3})")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
_MAX_DIGITS = 4


def _handicap(text: str) -> str:
    """Return a handicap on the home side's count; "1:0" is a start of one for the home side."""
    start = _START.fullmatch(text)
    if start:
        return canonical_line(str(int(start[1]) - int(start[2])))
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


class Target(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where a bookmaker's market goes: the key, and the place of each wire outcome in the catalogue's order.

    `rank` orders the entries of the mapping file: of two that lead to one key, the lower is preferred.
    """

    key: MarketKey
    slots: Mapping[str, int]
    width: int
    rank: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a mapping file, in the bookmaker's words and in the catalogue's; see `mapping`.

    To write a market, render each of `specifiers` and `when`, and each of `outcomes` or the `selection`
    and `label` patterns, with the key's specifiers in their places; places that begin with an underscore
    are the bookmaker's own ids.
    """

    id: str
    market: str
    outcomes: dict[str, str] = {}
    specifiers: dict[str, str] = {}
    when: dict[str, str] = {}
    fixed: dict[str, str] = {}
    selection: str = ""
    label: str = ""
    outcome: str = ""
    values: dict[str, dict[str, str]] = {}


class _Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Turns the values of wire specifiers, and what patterns find, into those of the key."""

    kinds: Mapping[str, SpecifierKind]
    values: Mapping[str, Mapping[str, str]]

    def canonical(self, name: str, text: str) -> str:
        translations = self.values.get(name)
        return canonical_value(self.kinds[name], translations.get(text, text) if translations else text)

    def merged(self, into: dict[str, str], found: Mapping[str, str]) -> None:
        """Add what a pattern has found; what is the bookmaker's own is left out.

        Raises:
            LineError: a value is not of its kind, or contradicts what was found elsewhere.
        """
        for name, text in found.items():
            if not name.startswith(OWN):
                value = self.canonical(name, text)
                if into.setdefault(name, value) != value:
                    raise LineError(f"{name} is {into[name]} and {value}")


class Selections:
    """Finds the key of each selection of a market in which every selection is a bet of its own."""

    def __init__(self, rule: "Rule", specifiers: Mapping[str, str]) -> None:
        self._rule = rule
        self._specifiers = specifiers
        self.slot = rule.slot

    def target(self, outcome: str, label: str) -> Target | None:
        """Return where a selection goes; None for one whose id is not of the pattern.

        Raises:
            LineError: its name is not of the pattern, or says something else than its id.
        """
        rule = self._rule
        by_id = rule.selection.read(outcome)
        if by_id is None:
            return None
        by_name = rule.label.read(label.strip()) if rule.label.text else {}
        if by_name is None:
            raise LineError(f"{label[:40]!r} does not say what it is")
        found = dict(self._specifiers)
        rule.reader.merged(found, by_id)
        rule.reader.merged(found, by_name)
        key = MarketKey(rule.entry.market, specifiers_text(found))
        return Target(key=key, slots={outcome: rule.slot}, width=rule.width, rank=rule.rank)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that fits the catalogue."""

    entry: Entry
    names: frozenset[str]
    slots: Mapping[str, int]
    width: int
    rank: int
    reader: _Reader
    patterns: Mapping[str, Pattern]
    selection: Pattern
    label: Pattern
    slot: int

    @property
    def dynamic(self) -> bool:
        """Tell whether every selection is a bet of its own."""
        return bool(self.entry.selection)

    def applies(self, specifiers: Mapping[str, str]) -> bool:
        """Tell whether the rule is for exactly these wire specifiers."""
        return specifiers.keys() == self.names and all(specifiers[name] == at for name, at in self.entry.when.items())

    def target(self, specifiers: Mapping[str, str]) -> Target:
        """Return where a market with these specifiers goes.

        Raises:
            LineError: a value is no line.
        """
        key = MarketKey(self.entry.market, specifiers_text(self._specified(specifiers)))
        return Target(key=key, slots=self.slots, width=self.width, rank=self.rank)

    def selections(self, specifiers: Mapping[str, str]) -> Selections:
        """Return where the selections of a market with these specifiers go.

        Raises:
            LineError: a value is no line.
        """
        return Selections(self, self._specified(specifiers))

    def _specified(self, specifiers: Mapping[str, str]) -> dict[str, str]:
        found = dict(self.entry.fixed)
        for wire, name in self.entry.specifiers.items():
            pattern = self.patterns.get(wire)
            if pattern is None:
                found[name] = self.reader.canonical(name, specifiers[wire])
                continue
            places = pattern.read(specifiers[wire])
            if places is None:
                raise LineError(f"{specifiers[wire][:40]!r} is not {pattern.text}")
            self.reader.merged(found, places)
        return found


def rule_of(rank: int, entry: Entry, sport: str, catalogue: Catalogue) -> Rule:
    """Return an entry's rule.

    Raises:
        CatalogueError: it does not fit the catalogue.
    """
    market = catalogue.market(entry.market)
    if market.sport != sport:
        raise CatalogueError(f"{entry.id}: {entry.market} is a market of {market.sport}, not of {sport}")
    _refuse_odd_outcomes(entry, market)
    patterns = {wire: Pattern(name) for wire, name in entry.specifiers.items() if "{" in name}
    selection, label = Pattern(entry.selection), Pattern(entry.label)
    _refuse_odd_specifiers(entry, market, (*patterns.values(), selection, label))
    places = {outcome: place for place, outcome in enumerate(market.outcomes)}
    return Rule(
        entry=entry,
        names=frozenset(entry.specifiers) | frozenset(entry.when),
        slots={wire: places[outcome] for wire, outcome in entry.outcomes.items()},
        width=len(market.outcomes),
        rank=rank,
        reader=_Reader(kinds={name: catalogue.specifier_kind(name) for name in market.specifiers}, values=entry.values),
        patterns=patterns,
        selection=selection,
        label=label,
        slot=places.get(entry.outcome, 0),
    )


def _refuse_odd_outcomes(entry: Entry, market: Market) -> None:
    if bool(entry.outcomes) == bool(entry.selection) or bool(entry.selection) != bool(entry.outcome):
        raise CatalogueError(f"{entry.id}: state either outcomes, or a selection and its outcome; {_here(market)}")
    named = [*entry.outcomes.values(), *([entry.outcome] if entry.outcome else [])]
    unknown = [outcome for outcome in named if outcome not in market.outcomes]
    if unknown:
        raise CatalogueError(f"{entry.id}: {entry.market} has no outcome {', '.join(unknown)}")
    if len(set(named)) < len(named):
        raise CatalogueError(f"{entry.id}: two outcomes become the same one of {entry.market}")


def _here(market: Market) -> str:
    return f"{market.key} has {', '.join(market.outcomes[:5])}"


def _refuse_odd_specifiers(entry: Entry, market: Market, patterns: tuple[Pattern, ...]) -> None:
    plain = [name for name in entry.specifiers.values() if "{" not in name]
    placed = {name for pattern in patterns for name in pattern.names if not name.startswith(OWN)}
    named = [*plain, *entry.fixed, *placed]
    if sorted(named) != sorted(market.specifiers):
        wanted = ", ".join(market.specifiers) or "none"
        raise CatalogueError(
            f"{entry.id}: {entry.market} takes the specifiers {wanted}, not {', '.join(named) or 'none'}"
        )
