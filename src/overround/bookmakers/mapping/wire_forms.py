"""A mapping entry read the other way: what a bookmaker's market looks like whose key is known."""

from collections.abc import Mapping

import msgspec

from overround.bookmakers.mapping.patterns import OWN, Pattern
from overround.bookmakers.mapping.rules import Entry


class WireSelection(msgspec.Struct, frozen=True):
    """A selection's id, and its name where the name says what it is."""

    id: str
    label: str = ""


class WireMarket(msgspec.Struct, frozen=True, kw_only=True):
    """A market as it stands on the wire: id, specifiers, and the selections by our outcome.

    Values are spelled as in keys: a bookmaker that writes a handicap of -1 as "0:1" does so itself.
    """

    id: str
    specifiers: Mapping[str, str]
    selections: Mapping[str, WireSelection]


def own_names(entry: Entry) -> frozenset[str]:
    """Return the names in an entry's patterns that are the bookmaker's own: ids of events, players, teams."""
    texts = (entry.selection, entry.label, *entry.specifiers.values())
    return frozenset(name for text in texts for name in Pattern(text).names if name.startswith(OWN))


def wire_market(entry: Entry, specifiers: Mapping[str, str], own: Mapping[str, str]) -> WireMarket | None:
    """Return the wire's form of a key with these specifiers; None if the entry is not for such a key.

    `own` has a value for each of `own_names`. KeyError: one of them, or of the specifiers, is missing.
    """
    if any(specifiers.get(name) != value for name, value in entry.fixed.items()):
        return None
    texts = {name: _translated(entry, name, value) for name, value in specifiers.items()} | dict(own)
    on_wire = {
        wire: Pattern(name).write(texts) if "{" in name else texts[name] for wire, name in entry.specifiers.items()
    }
    if entry.selection:
        selection = WireSelection(Pattern(entry.selection).write(texts), Pattern(entry.label).write(texts))
        return WireMarket(id=entry.id, specifiers=on_wire | entry.when, selections={entry.outcome: selection})
    selections = {outcome: WireSelection(wire) for wire, outcome in entry.outcomes.items()}
    return WireMarket(id=entry.id, specifiers=on_wire | entry.when, selections=selections)


def _translated(entry: Entry, name: str, value: str) -> str:
    wires = {ours: wire for wire, ours in entry.values.get(name, {}).items()}
    return wires.get(value, value)
