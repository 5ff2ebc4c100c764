"""The JSON of an event's markets, written straight from the cache: hundreds of markets in a few milliseconds.

Text is put together from pieces that repeat (what a market key says of itself, a price, a time), each encoded
once. `api.events.schemas` has the shapes; a test holds the two together.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import add

import msgspec

from overround.caching.cells import Cell, cell_of
from overround.caching.odds_cache import CachedSnapshot
from overround.catalogue import Catalogue, Market
from overround.memo import Memo
from overround.pricing.comparison import Offers, Outcome, compare, market_margin
from overround.records.odds import MarketKey, outcome_state, price_text, shown_price, specifiers_of

_PRICES_KEPT = 50_000
_KEYS_KEPT = 20_000
_TIMES_KEPT = 20_000


class MarketJson(msgspec.Struct, frozen=True, gc=False):
    """A market's JSON, and of the reference: its margin and its worst gap, None where there is none."""

    text: bytes
    margin: float | None
    gap: float | None


class _Facts(msgspec.Struct, frozen=True):
    """What a market key says by itself: the market's JSON up to the bookmakers, an outcome's up to its price."""

    definition: Market
    order: tuple[int, int, int, str]
    head: str
    outcomes: tuple[str, ...]


class MarketWriter:
    """Writes markets with a cell for every bookmaker, the reference first.

    `covered` are the catalogue markets that each bookmaker's mapping can produce.
    """

    def __init__(
        self, catalogue: Catalogue, slugs: Iterable[str], covered: Mapping[str, frozenset[str]], reference: str
    ) -> None:
        self.slugs = tuple(slugs)
        self._catalogue = catalogue
        self._covered = covered
        self._reference = self.slugs.index(reference) if reference in self.slugs else None
        self._names = tuple(f'"{slug}":' for slug in self.slugs)
        self._facts: Memo[MarketKey, _Facts | None] = Memo(self._facts_of, _KEYS_KEPT)
        self._prices: Memo[int, str] = Memo(lambda price: _outcome_tail((price, 0)), _PRICES_KEPT)
        self._moved_prices: Memo[tuple[int, int], str] = Memo(_outcome_tail, _PRICES_KEPT)
        self._bests: Memo[int, str] = Memo(lambda price: f'{{"price":{_price_json(price)},"bookmakers":', _PRICES_KEPT)
        self._holders: Memo[tuple[int, ...], str] = Memo(self._holders_json, _KEYS_KEPT)
        self._times: Memo[datetime, str] = Memo(_json, _TIMES_KEPT)

    def keys(self, snapshots: Mapping[str, CachedSnapshot]) -> Sequence[MarketKey]:
        """Return all markets of an event in catalogue order, the lines of each in order."""
        keys = {key for cached in snapshots.values() for key in cached.markets}
        known = [(facts.order, key) for key in keys if (facts := self._facts[key]) is not None]
        known.sort()
        return [key for _, key in known]

    def known(self, keys: Iterable[MarketKey]) -> Sequence[MarketKey]:
        """Return those of some markets that the catalogue has."""
        return [key for key in keys if self._facts[key] is not None]

    def market(self, key: MarketKey, snapshots: Mapping[str, CachedSnapshot], *, compared: bool) -> MarketJson:
        """Write a market; `compared`: its prices are comparable.

        Raises:
            KeyError: the catalogue does not have it.
        """
        facts = self._facts[key]
        if facts is None:
            raise KeyError(key)
        rows: list[tuple[int, ...]] = []
        margins: list[float | None] = []
        cells: list[str] = []
        for slug, name in zip(self.slugs, self._names, strict=True):
            cached = snapshots.get(slug)
            prices = None if cached is None else cached.markets.get(key)
            if cached is None or prices is None:
                cells.append(name + self.empty_cell(key, slug, cached))
                rows.append(())
                margins.append(None)
                continue
            margin = market_margin(facts.definition, prices.prices)
            cells.append(name + self._cell(facts, cell_of(cached, key), margin))
            rows.append(prices.prices if compared else ())
            margins.append(margin)
        outcomes = compare(Offers(rows, margins, self._reference), len(facts.outcomes))
        gaps = [outcome.gap for outcome in outcomes if outcome.gap is not None]
        standing = f'"best":[{self._best(outcomes)}],"reference":{_standing(outcomes)}'
        return MarketJson(
            f"{facts.head}{','.join(cells)}}},{standing}}}".encode(),
            None if self._reference is None else margins[self._reference],
            min(gaps, default=None),
        )

    def cell(self, cell: Cell) -> str | None:
        """Write one bookmaker's cell of a market; None for a market that the catalogue does not have."""
        facts = self._facts[cell.key]
        return None if facts is None else self._cell(facts, cell, market_margin(facts.definition, cell.prices.prices))

    def empty_cell(self, key: MarketKey, slug: str, cached: CachedSnapshot | None) -> str:
        """Write the cell of a market that a bookmaker's state does not hold; it says why."""
        return _EMPTY[self._why_empty(key, slug, cached)]

    def _cell(self, facts: _Facts, cell: Cell, margin: float | None) -> str:
        prices, before = cell.prices, cell.previous
        if before is None:
            tails: Iterable[str] = map(self._prices.__getitem__, prices.prices)
        else:
            earlier = (*before, *[0] * len(prices.prices))
            tails = map(self._moved_prices.__getitem__, zip(prices.prices, earlier, strict=False))
        confirmed = "null" if cell.confirmed_at is None else self._times[cell.confirmed_at]
        return (
            f'{{"state":"{prices.state}","margin":{_number(margin)},"changed_at":{self._times[cell.changed_at]}'
            f',"confirmed_at":{confirmed},"outcomes":[{",".join(map(add, facts.outcomes, tails))}]}}'
        )

    def _why_empty(self, key: MarketKey, slug: str, cached: CachedSnapshot | None) -> str:
        if cached is None:
            return "not_seen"
        return "not_offered" if key.market in self._covered.get(slug, ()) else "not_mapped"

    def _best(self, outcomes: Iterable[Outcome]) -> str:
        return ",".join([self._bests[one.best] + self._holders[one.holders] for one in outcomes])

    def _holders_json(self, places: tuple[int, ...]) -> str:
        return _json([self.slugs[place] for place in places]) + "}"

    def _facts_of(self, key: MarketKey) -> _Facts | None:
        market = self._catalogue.find(key.market)
        if market is None:
            return None
        itself = {
            "key": key_text(key),
            "market": market.key,
            "name": market.name,
            "group": market.group,
            "specifiers": dict(specifiers_of(key)),
            "outcomes": market.outcomes,
        }
        heads = tuple(f'{{"outcome":{_json(outcome)},"price":' for outcome in market.outcomes)
        return _Facts(market, _order(market, key), f'{_json(itself)[:-1]},"bookmakers":{{', heads)


def key_text(key: MarketKey) -> str:
    """Return a market key as requests and answers name it: "total_goals:line=2.5"."""
    return f"{key.market}:{key.specifiers}" if key.specifiers else key.market


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _price_json(price: int) -> str:
    shown = shown_price(price)
    return "null" if shown is None else f'"{price_text(shown)}"'


def _outcome_tail(moved: tuple[int, int]) -> str:
    """Return an outcome's JSON from its price on, for a price and the one before it."""
    price, before = moved
    return f'{_price_json(price)},"previous":{_price_json(before)},"state":{_json(outcome_state(price))}}}'


def _standing(outcomes: Sequence[Outcome]) -> str:
    ranks = ",".join(["null" if one.rank is None else str(one.rank) for one in outcomes])
    gaps = ",".join([_number(one.gap) for one in outcomes])
    points = ",".join([_number(one.points) for one in outcomes])
    return f'{{"rank":[{ranks}],"gap":[{gaps}],"points":[{points}]}}'


def _order(market: Market, key: MarketKey) -> tuple[int, int, int, str]:
    """Sort by market, then numeric lines by value, in ten-thousandths, and everything else by its text."""
    _, _, value = key.specifiers.partition("=")
    whole, _, part = value.lstrip("-").partition(".")
    if not (whole + part).isdigit():
        return (market.number, 1, 0, value)
    size = int(whole or "0") * 10_000 + int(part.ljust(4, "0")[:4])
    return (market.number, 0, -size if value.startswith("-") else size, "")


_EMPTY: Mapping[str, str] = {
    reason: f'{{"state":"{reason}","margin":null,"changed_at":null,"confirmed_at":null,"outcomes":[]}}'
    for reason in ("not_seen", "not_offered", "not_mapped")
}
