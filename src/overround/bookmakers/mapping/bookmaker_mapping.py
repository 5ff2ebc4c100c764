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

Where every selection is a bet of its own, as of each player, `selection` is the pattern of the outcome's id
and `label` that of its name; what stands in their places specifies the key:

    [[market]]
    id = "800291"
    market = "player_fouls"
    selection = "pre:playerprops:{_event}:{_player}:{at_least}:{_team}"
    label = "{player} ({_team}) {at_least}+"
    outcome = "yes"

A wire specifier may be a pattern, too, and `values` translate what stands in a place.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Final

import msgspec

from overround.bookmakers.kit.sports import SPORTS
from overround.bookmakers.mapping.rules import Entry, Rule, Selections, Target, rule_of
from overround.catalogue import Catalogue, Override
from overround.errors import CatalogueError, LineError
from overround.memo import Memo

__all__ = ["Entry", "MarketMapping", "Memo", "Route", "Selections", "Split", "Target", "load_mappings", "read_mapping"]


_SELECTIONS_KEPT: Final = 20_000


class _MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sport: str
    market: tuple[Entry, ...]


class Split:
    """Where the selections of a market go that is split among several keys.

    `known` has the target and the slot of a selection by its id and name, None for one that is not mapped.
    Looking one up raises LineError: id and name contradict each other, or do not say what it is.
    """

    def __init__(self, targets: tuple[Target, ...], selections: tuple[Selections, ...]) -> None:
        self._targets = targets
        self._selections = selections
        self.known: Memo[tuple[str, str], tuple[Target, int] | None] = Memo(self._find, _SELECTIONS_KEPT)

    def place(self, outcome: str, label: str) -> tuple[Target, int] | None:
        """Return the target of a selection and its slot there; None for one that is not mapped.

        Raises:
            LineError: id and name of the selection contradict each other, or do not say what it is.
        """
        return self.known[outcome, label]

    def _find(self, selection: tuple[str, str]) -> tuple[Target, int] | None:
        outcome, label = selection
        for target in self._targets:
            if outcome in target.slots:
                return target, target.slots[outcome]
        for selections in self._selections:
            found = selections.target(outcome, label)
            if found is not None:
                return found, selections.slot
        return None


Route = Target | Split


class MarketMapping:
    """One bookmaker's market ids of one sport."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        by_id: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            by_id[rule.entry.id].append(rule)
        self._by_id = {wire_id: tuple(found) for wire_id, found in by_id.items()}

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the entries, in their order within an id: what is needed to write a market is in them."""
        return (rule.entry for rules in self._by_id.values() for rule in rules)

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of the catalogue markets that this mapping can produce."""
        return frozenset(entry.market for entry in self)

    def route(self, wire_id: str, specifiers: Mapping[str, str]) -> Route | None:
        """Return where a market goes: None if it is not mapped.

        Raises:
            LineError: the market is mapped, but a specifier is missing or is no line.
        """
        rules = self._applying(wire_id, specifiers)
        if len(rules) == 1 and not rules[0].dynamic:
            return rules[0].target(specifiers)
        if not rules:
            return None
        return Split(
            targets=tuple(rule.target(specifiers) for rule in rules if not rule.dynamic),
            selections=tuple(rule.selections(specifiers) for rule in rules if rule.dynamic),
        )

    def targets(self, wire_id: str, specifiers: Mapping[str, str]) -> tuple[Target, ...]:
        """Return where a market goes: nowhere if it is not mapped, and to several places if its outcomes are split.

        Raises:
            LineError: the market is mapped, but a specifier is missing or is no line.
        """
        return tuple(rule.target(specifiers) for rule in self._applying(wire_id, specifiers) if not rule.dynamic)

    def target(self, wire_id: str, specifiers: Mapping[str, str]) -> Target | None:
        """Return the first place where a market goes, or None if it is not mapped.

        Raises:
            LineError: the market is mapped, but a specifier is missing or is no line.
        """
        found = self.targets(wire_id, specifiers)
        return found[0] if found else None

    def _applying(self, wire_id: str, specifiers: Mapping[str, str]) -> tuple[Rule, ...]:
        rules = self._by_id.get(wire_id, ())
        found = tuple(rule for rule in rules if rule.applies(specifiers))
        if not found and any(specifiers.keys() < rule.names for rule in rules):
            raise LineError(f"{wire_id} has no line")
        return found


def load_mappings(package: str, catalogue: Catalogue) -> Mapping[str, MarketMapping]:
    """Read all mapping files of a bookmaker's package, by sport, and the user's own entries for that bookmaker.

    Raises:
        CatalogueError: a file is not valid; it and the entry are named.
    """
    bookmaker = package.rpartition(".")[2]
    folder = files(package)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml") and entry.name != SPORTS)
    rules: dict[str, list[Rule]] = {}
    for name in names:
        sport, found = _read_rules(f"{package}/{name}", folder.joinpath(name).read_text("utf-8"), catalogue)
        if sport in rules:
            raise CatalogueError(f"{package}/{name}: {sport} is mapped in another file, too")
        rules[sport] = found
    for sport in catalogue.overrides.sports(bookmaker):
        rules[sport] = _overridden(rules.get(sport, []), catalogue.overrides.of(bookmaker, sport), catalogue)
    return {sport: MarketMapping(found) for sport, found in rules.items()}


def read_mapping(name: str, text: str, catalogue: Catalogue) -> tuple[str, MarketMapping]:
    """Return the sport and the mapping of one file's text; `name` is for the error message.

    Raises:
        CatalogueError: the text is not valid TOML, not of a mapping's shape, or does not fit the catalogue.
    """
    sport, rules = _read_rules(name, text, catalogue)
    return sport, MarketMapping(rules)


def _read_rules(name: str, text: str, catalogue: Catalogue) -> tuple[str, list[Rule]]:
    try:
        content = msgspec.convert(tomllib.loads(text), _MappingFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{name}: {error}") from error
    try:
        rules = [rule_of(rank, entry, content.sport, catalogue) for rank, entry in enumerate(content.market)]
        _refuse_ambiguous(content.market)
    except CatalogueError as error:
        raise CatalogueError(f"{name}: {error}") from error
    return content.sport, rules


def _overridden(rules: list[Rule], overrides: Iterable[Override], catalogue: Catalogue) -> list[Rule]:
    """Return the rules with the user's in place of all others of their ids."""
    own: list[Rule] = []
    for override in overrides:
        try:
            entry = msgspec.convert(dict(override.fields), Entry)
            own.append(rule_of(len(rules) + len(own), entry, override.sport, catalogue))
            _refuse_ambiguous([rule.entry for rule in own])
        except (CatalogueError, msgspec.ValidationError) as error:
            raise CatalogueError(f"{override.place}: {error}") from error
    replaced = {rule.entry.id for rule in own}
    return [*(rule for rule in rules if rule.entry.id not in replaced), *own]


def _refuse_ambiguous(entries: Iterable[Entry]) -> None:
    seen: set[tuple[str, tuple[tuple[str, str], ...], str]] = set()
    for entry in entries:
        condition = tuple(sorted(entry.when.items()))
        for outcome in (*entry.outcomes, *([entry.selection] if entry.selection else [])):
            if (entry.id, condition, outcome) in seen:
                raise CatalogueError(f"{entry.id}: outcome {outcome} is mapped twice")
            seen.add((entry.id, condition, outcome))
