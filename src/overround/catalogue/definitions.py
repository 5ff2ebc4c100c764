"""Market definitions: read from TOML files, validated, looked up by key and by number."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

import msgspec

from overround.errors import CatalogueError


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market of the catalogue.

    `number` is its identity in the database and `outcomes` the order of its prices there:
    numbers are never reused, and outcomes only ever appended. `specifiers` names what completes
    the key (`line`, `handicap`). `probability_sum` is what the true probabilities of all outcomes
    add up to; absent where the outcomes neither exclude nor cover each other by a known number.
    """

    number: int
    key: str
    name: str
    group: str
    outcomes: tuple[str, ...]
    specifiers: tuple[str, ...] = ()
    probability_sum: int | None = None
    sport: str = ""


class _DefinitionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sport: str
    market: tuple[Market, ...]


class Catalogue:
    """All markets, of all sports."""

    def __init__(self, markets: Iterable[Market]) -> None:
        """Index the definitions.

        Raises:
            CatalogueError: a number, a key or an outcome stands twice, or a market has no outcomes.
        """
        self._markets = tuple(markets)
        self._by_key: Mapping[str, Market] = {market.key: market for market in self._markets}
        self._by_number: Mapping[int, Market] = {market.number: market for market in self._markets}
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


def load_catalogue() -> Catalogue:
    """Read the definition files that ship with the package.

    Raises:
        CatalogueError: a file is not valid; the file is named.
    """
    folder = files(__package__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return Catalogue(
        market for name in names for market in read_definitions(name, folder.joinpath(name).read_text("utf-8"))
    )


def read_definitions(name: str, text: str) -> tuple[Market, ...]:
    """Return the markets of one definition file's text; `name` is for the error message.

    Raises:
        CatalogueError: the text is not valid TOML, or not of the definitions' shape.
    """
    try:
        content = msgspec.convert(tomllib.loads(text), _DefinitionFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{name}: {error}") from error
    return tuple(msgspec.structs.replace(market, sport=content.sport) for market in content.market)


def _refuse_repeated(what: str, values: Iterable[str]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise CatalogueError(f"{what} defined twice: {', '.join(repeated)}")
