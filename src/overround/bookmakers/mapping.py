"""One bookmaker's market and outcome ids, read from its mapping files, and resolved to catalogue keys.

A mapping file is TOML, one for each sport:

    sport = "football"

    [[market]]
    id = "18"                              # the bookmaker's market id
    market = "total_goals"                 # the catalogue's key
    specifiers = { total = "line" }        # the wire's specifier and the catalogue's, every one of both
    outcomes = { 12 = "over", 13 = "under" }

`when` states wire specifiers that must have a certain value, and `fixed` catalogue specifiers that the
bookmaker's id implies. An id may stand in several entries: where they differ in `when` the specifiers
decide, otherwise the entries split the id's outcomes among them.
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Generic, TypeVar

import msgspec

from overround.catalogue import Catalogue
from overround.errors import CatalogueError, LineError
from overround.odds import MarketKey, canonical_line, specifiers_text

K = TypeVar("K")
V = TypeVar("V")

HANDICAP = "handicap"


class Memo(dict[K, V], Generic[K, V]):
    """A function's results by argument; forgets everything when it holds `limit` of them.

    Bookmakers repeat a few thousand texts for ever, and an unbounded table would grow with every odd one.
    """

    def __init__(self, make: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, argument: K) -> V:
        """Work the result out and keep it; what `make` raises is not kept."""
        result = self._make(argument)
        if len(self) >= self._limit:
            self.clear()
        self[argument] = result
        return result


class Target(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where a bookmaker's market goes: the key, and the place of each wire outcome in the catalogue's order.

    `rank` orders the entries of the mapping file: of two that lead to one key, the lower is preferred.
    """

    key: MarketKey
    slots: Mapping[str, int]
    width: int
    rank: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a mapping file, as it stands there."""

    id: str
    market: str
    outcomes: dict[str, str]
    specifiers: dict[str, str] = {}
    when: dict[str, str] = {}
    fixed: dict[str, str] = {}


class _MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sport: str
    market: tuple[Entry, ...]


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    entry: Entry
    names: frozenset[str]
    slots: Mapping[str, int]
    width: int
    rank: int

    def applies(self, specifiers: Mapping[str, str]) -> bool:
        """Tell whether the rule is for exactly these wire specifiers."""
        return specifiers.keys() == self.names and all(specifiers[name] == at for name, at in self.entry.when.items())

    def target(self, specifiers: Mapping[str, str]) -> Target:
        """Return where a market with these specifiers goes.

        Raises:
            LineError: a value is no line.
        """
        ours = {name: _value(name, specifiers[wire]) for wire, name in self.entry.specifiers.items()}
        key = MarketKey(self.entry.market, specifiers_text(ours | self.entry.fixed))
        return Target(key=key, slots=self.slots, width=self.width, rank=self.rank)


class MarketMapping:
    """One bookmaker's market ids of one sport."""

    def __init__(self, rules: Iterable[_Rule] = ()) -> None:
        by_id: dict[str, list[_Rule]] = defaultdict(list)
        for rule in rules:
            by_id[rule.entry.id].append(rule)
        self._by_id = {wire_id: tuple(found) for wire_id, found in by_id.items()}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of the catalogue markets that this mapping can produce."""
        return frozenset(rule.entry.market for rules in self._by_id.values() for rule in rules)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the file's entries in their order: what a market can be on the wire."""
        rules = sorted((rule for found in self._by_id.values() for rule in found), key=lambda rule: rule.rank)
        return tuple(rule.entry for rule in rules)

    def targets(self, wire_id: str, specifiers: Mapping[str, str]) -> tuple[Target, ...]:
        """Return where a market goes: nowhere if it is not mapped, and to several places if its outcomes are split.

        Raises:
            LineError: the market is mapped, but a specifier is missing or is no line.
        """
        rules = self._by_id.get(wire_id, ())
        found = tuple(rule.target(specifiers) for rule in rules if rule.applies(specifiers))
        if not found and any(specifiers.keys() < rule.names for rule in rules):
            raise LineError(f"{wire_id} has no line")
        return found

    def target(self, wire_id: str, specifiers: Mapping[str, str]) -> Target | None:
        """Return the only place where a market goes, or None if it is not mapped.

        Raises:
            LineError: the market is mapped, but a specifier is missing or is no line.
        """
        found = self.targets(wire_id, specifiers)
        return found[0] if found else None


def load_mappings(package: str, catalogue: Catalogue) -> Mapping[str, MarketMapping]:
    """Read all mapping files of a bookmaker's package, by sport.

    Raises:
        CatalogueError: a file is not valid; it and the entry are named.
    """
    folder = files(package)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    mappings: dict[str, MarketMapping] = {}
    for name in names:
        sport, mapping = read_mapping(f"{package}/{name}", folder.joinpath(name).read_text("utf-8"), catalogue)
        if sport in mappings:
            raise CatalogueError(f"{package}/{name}: {sport} is mapped in another file, too")
        mappings[sport] = mapping
    return mappings


def read_mapping(name: str, text: str, catalogue: Catalogue) -> tuple[str, MarketMapping]:
    """Return the sport and the mapping of one file's text; `name` is for the error message.

    Raises:
        CatalogueError: the text is not valid TOML, not of a mapping's shape, or does not fit the catalogue.
    """
    try:
        content = msgspec.convert(tomllib.loads(text), _MappingFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{name}: {error}") from error
    try:
        rules = [_rule(rank, entry, content.sport, catalogue) for rank, entry in enumerate(content.market)]
        _refuse_ambiguous(content.market)
    except CatalogueError as error:
        raise CatalogueError(f"{name}: {error}") from error
    return content.sport, MarketMapping(rules)


def _rule(rank: int, entry: Entry, sport: str, catalogue: Catalogue) -> _Rule:
    market = catalogue.market(entry.market)
    places = {outcome: place for place, outcome in enumerate(market.outcomes)}
    unknown = [outcome for outcome in entry.outcomes.values() if outcome not in places]
    if market.sport != sport:
        raise CatalogueError(f"{entry.id}: {entry.market} is a market of {market.sport}, not of {sport}")
    if unknown or not entry.outcomes:
        raise CatalogueError(f"{entry.id}: {entry.market} has no outcome {', '.join(unknown) or 'here'}")
    if len(set(entry.outcomes.values())) < len(entry.outcomes):
        raise CatalogueError(f"{entry.id}: two outcomes become the same one of {entry.market}")
    named = [*entry.specifiers.values(), *entry.fixed]
    if sorted(named) != sorted(market.specifiers):
        wanted = ", ".join(market.specifiers) or "none"
        raise CatalogueError(
            f"{entry.id}: {entry.market} takes the specifiers {wanted}, not {', '.join(named) or 'none'}"
        )
    return _Rule(
        entry=entry,
        names=frozenset(entry.specifiers) | frozenset(entry.when),
        slots={wire: places[outcome] for wire, outcome in entry.outcomes.items()},
        width=len(market.outcomes),
        rank=rank,
    )


def _refuse_ambiguous(entries: Iterable[Entry]) -> None:
    seen: set[tuple[str, tuple[tuple[str, str], ...], str]] = set()
    for entry in entries:
        condition = tuple(sorted(entry.when.items()))
        for outcome in entry.outcomes:
            if (entry.id, condition, outcome) in seen:
                raise CatalogueError(f"{entry.id}: outcome {outcome} is mapped twice")
            seen.add((entry.id, condition, outcome))


def _value(name: str, text: str) -> str:
    home, colon, away = text.partition(":")
    if name == HANDICAP and colon and home.isdecimal() and away.isdecimal():
        return str(int(home) - int(away))  # a goal start, home:away
    return canonical_line(text)
