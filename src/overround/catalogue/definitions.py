"""Market definitions: read from TOML files, validated, looked up by key and by number.

What a market is about stands in its `meaning`, in the words of `terms/vocabulary.toml`. How a market
settles gives it its outcomes, specifiers and probability sum unless it states its own; a combination is
put together from its `parts`.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import msgspec

from overround.catalogue.composition import Combinable, combined
from overround.catalogue.overrides import NO_OVERRIDES, Overrides, read_overrides
from overround.catalogue.vocabulary import SpecifierKind, Vocabulary, load_vocabulary
from overround.errors import CatalogueError

UNKNOWN_SUM = "unknown"


class Meaning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a market is about: what is counted, for whom, in which period, and how it settles.

    `overtime` tells whether play after the regular time counts.
    """

    counts: str = "goals"
    side: str = "match"
    period: str = "match"
    settles: str = "result"
    overtime: bool = False


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One market of the catalogue.

    `number` is its identity in the database and `outcomes` the order of its prices there:
    numbers are never reused, and outcomes only ever appended. `specifiers` names what completes
    the key (`line`, `handicap`). `probability_sum` is what the true probabilities of all outcomes
    add up to; None where the outcomes neither exclude nor cover each other by a known number.
    `covers` are the sets of outcomes, by place, that do so: none means all outcomes together.
    `parts` are the markets of which a combination consists.
    """

    number: int
    key: str
    name: str
    group: str
    outcomes: tuple[str, ...]
    specifiers: tuple[str, ...] = ()
    probability_sum: int | None = None
    covers: tuple[tuple[int, ...], ...] = ()
    meaning: Meaning = Meaning()
    parts: tuple[str, ...] = ()
    sport: str = ""


class _Definition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market as a file states it; what is left out follows from how it settles, or from its parts."""

    number: int
    key: str
    name: str
    group: str
    meaning: Meaning
    outcomes: tuple[str, ...] | None = None
    specifiers: tuple[str, ...] | None = None
    probability_sum: int | str | None = None
    covers: tuple[tuple[str, ...], ...] = ()
    parts: tuple[str, ...] = ()


class _DefinitionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sport: str
    market: tuple[_Definition, ...]


class Catalogue:
    """All markets, of all sports, and what the user's own mapping file changes."""

    def __init__(
        self,
        markets: Iterable[Market],
        vocabulary: Vocabulary | None = None,
        overrides: Overrides = NO_OVERRIDES,
    ) -> None:
        """Index the definitions.

        Raises:
            CatalogueError: a number, a key or an outcome stands twice, or a market has no outcomes.
        """
        self._markets = tuple(markets)
        self._vocabulary = vocabulary or load_vocabulary()
        self._by_key: Mapping[str, Market] = {market.key: market for market in self._markets}
        self._by_number: Mapping[int, Market] = {market.number: market for market in self._markets}
        self.overrides = overrides
        _refuse_repeated("market key", (market.key for market in self._markets))
        _refuse_repeated("market number", (str(market.number) for market in self._markets))
        for market in self._markets:
            _refuse_repeated(f"outcome of {market.key}", market.outcomes)
            if not market.outcomes:
                raise CatalogueError(f"{market.key} has no outcomes")

    def __iter__(self) -> Iterator[Market]:
        """Iterate over the markets in the order of their definition."""
        return iter(self._markets)

    def __len__(self) -> int:
        """Return how many markets there are."""
        return len(self._markets)

    def market(self, key: str) -> Market:
        """Return a market by key.

        Raises:
            CatalogueError: there is no such market.
        """
        try:
            return self._by_key[key]
        except KeyError:
            raise CatalogueError(f"the catalogue has no market {key!r}") from None

    def find(self, key: str) -> Market | None:
        """Return a market by key, or None."""
        return self._by_key.get(key)

    def numbered(self, number: int) -> Market | None:
        """Return a market by number; None for one that this release does not know (any more)."""
        return self._by_number.get(number)

    def number(self, key: str) -> int:
        """Return a market's number (KeyError for an unknown key: only keys of this catalogue are asked for)."""
        return self._by_key[key].number

    def specifier_kind(self, name: str) -> SpecifierKind:
        """Return what the values of a specifier are.

        Raises:
            CatalogueError: there is no such specifier.
        """
        return self._vocabulary.specifier_kind(name)

    def with_overrides(self, overrides: Overrides) -> "Catalogue":
        """Return the same catalogue with other mappings of the user's own."""
        return Catalogue(self._markets, self._vocabulary, overrides)


def load_catalogue(mapping_file: Path | None = None) -> Catalogue:
    """Read the definition files that ship with the package, and the user's own mapping file if there is one.

    Raises:
        CatalogueError: a file is not valid; the file is named.
    """
    folder = files(__package__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    vocabulary = load_vocabulary()
    markets = [
        market
        for name in names
        for market in read_definitions(name, folder.joinpath(name).read_text("utf-8"), vocabulary)
    ]
    return Catalogue(markets, vocabulary, NO_OVERRIDES if mapping_file is None else read_overrides(mapping_file))


def read_definitions(name: str, text: str, vocabulary: Vocabulary | None = None) -> tuple[Market, ...]:
    """Return the markets of one definition file's text; `name` is for the error message.

    Raises:
        CatalogueError: the text is not valid TOML, or not of the definitions' shape.
    """
    terms = vocabulary or load_vocabulary()
    try:
        content = msgspec.convert(tomllib.loads(text), _DefinitionFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{name}: {error}") from error
    found: list[Market] = []
    by_key: dict[str, Market] = {}
    for definition in content.market:
        try:
            market = _market(definition, by_key, terms, content.sport)
        except CatalogueError as error:
            raise CatalogueError(f"{name}: {definition.key}: {error}") from error
        found.append(market)
        by_key[market.key] = market
    return tuple(found)


def _market(definition: _Definition, defined: Mapping[str, Market], terms: Vocabulary, sport: str) -> Market:
    terms.refuse_unknown(definition.meaning.counts, definition.meaning.side, definition.meaning.period)
    rule = terms.settlement(definition.meaning.settles)
    given = _combination(definition, defined) if definition.parts else rule
    outcomes = definition.outcomes or given.outcomes
    foreign = [outcome for outcome in outcomes if given.outcomes and outcome not in given.outcomes]
    if foreign:
        raise CatalogueError(f"{definition.meaning.settles} has no outcome {', '.join(foreign)}")
    specifiers = given.specifiers if definition.specifiers is None else definition.specifiers
    for specifier in specifiers:
        terms.specifier_kind(specifier)
    return Market(
        number=definition.number,
        key=definition.key,
        name=definition.name,
        group=definition.group,
        outcomes=outcomes,
        specifiers=specifiers,
        probability_sum=_probability_sum(definition, given.probability_sum),
        covers=tuple(_places(cover, outcomes) for cover in definition.covers),
        meaning=definition.meaning,
        parts=definition.parts,
        sport=sport,
    )


def _combination(definition: _Definition, defined: Mapping[str, Market]) -> Combinable:
    unknown = [part for part in definition.parts if part not in defined]
    if unknown:
        raise CatalogueError(f"its part {', '.join(unknown)} is not defined before it")
    return combined([_combinable(defined[part]) for part in definition.parts])


def _combinable(market: Market) -> Combinable:
    return Combinable(market.outcomes, market.specifiers, market.probability_sum)


def _probability_sum(definition: _Definition, given: int | None) -> int | None:
    stated = definition.probability_sum
    if isinstance(stated, str):
        if stated != UNKNOWN_SUM:
            raise CatalogueError(f'the probability sum is a number or "{UNKNOWN_SUM}", not {stated!r}')
        return None
    if stated is None and given is None:
        raise CatalogueError(f'state the probability sum, or that it is "{UNKNOWN_SUM}"')
    return given if stated is None else stated


def _places(cover: tuple[str, ...], outcomes: tuple[str, ...]) -> tuple[int, ...]:
    foreign = [outcome for outcome in cover if outcome not in outcomes]
    if foreign:
        raise CatalogueError(f"covers name no outcome {', '.join(foreign)}")
    return tuple(sorted(outcomes.index(outcome) for outcome in cover))


def _refuse_repeated(what: str, values: Iterable[str]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise CatalogueError(f"{what} defined twice: {', '.join(repeated)}")
