"""Prices as probabilities, and the markets of one event found by what they are about."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from overround.catalogue import Catalogue, Market, Meaning
from overround.records.odds import THOUSANDTHS, MarketKey, MarketPrices, margin, specifiers_of

Priced = Mapping[MarketKey, MarketPrices]


class Quote(msgspec.Struct, frozen=True, dict=True):
    """One market of one bookmaker, as it is priced now."""

    bookmaker: str
    market: Market
    key: MarketKey
    prices: tuple[int, ...]

    @cached_property
    def specifiers(self) -> Mapping[str, str]:
        """Return the key's specifiers by name."""
        return specifiers_of(self.key)

    @cached_property
    def overround(self) -> float | None:
        """Return the market's overround; None where no rule says what the probabilities add up to."""
        total = self.market.probability_sum
        exact = None if total is None else margin(MarketPrices(self.prices), total, self.market.covers)
        return None if exact is None else float(exact)

    def implied(self, outcome: str) -> float | None:
        """Return 1/price of an outcome; None where it is not offered or not active."""
        if outcome not in self.market.outcomes:
            return None
        price = self.prices[self.market.outcomes.index(outcome)]
        return THOUSANDTHS / price if price > 0 else None

    def fair(self, outcome: str) -> float | None:
        """Return an outcome's probability with the margin taken out in proportion."""
        implied = self.implied(outcome)
        return None if implied is None or self.overround is None else implied / (1 + self.overround)


class Quotes:
    """All active markets of one bookmaker for one event."""

    def __init__(self, bookmaker: str, prices: Priced, catalogue: Catalogue) -> None:
        self._by_key = {
            key: Quote(bookmaker, market, key, market_prices.prices)
            for key, market_prices in prices.items()
            if (market := catalogue.find(key.market)) and any(price > 0 for price in market_prices.prices)
        }

    def __iter__(self) -> Iterator[Quote]:
        """Iterate over the quotes."""
        return iter(self._by_key.values())

    def __contains__(self, key: object) -> bool:
        """Tell whether a key is quoted."""
        return key in self._by_key

    def get(self, key: MarketKey) -> Quote | None:
        """Return a quote by key."""
        return self._by_key.get(key)

    def about(self, like: Quote, settles: str, side: str | None = None) -> list[Quote]:
        """Return the quotes on the same count and period as another, for a side, that settle in a certain way."""
        return self._by_meaning.get(_place(like.market.meaning, settles, side or like.market.meaning.side), [])

    @cached_property
    def _by_meaning(self) -> dict[tuple[str, str, str, str, bool], list[Quote]]:
        found: dict[tuple[str, str, str, str, bool], list[Quote]] = {}
        for quote in self._by_key.values():
            meaning = quote.market.meaning
            found.setdefault(_place(meaning, meaning.settles, meaning.side), []).append(quote)
        return found


def _place(meaning: Meaning, settles: str, side: str) -> tuple[str, str, str, str, bool]:
    return (meaning.counts, meaning.period, settles, side, meaning.overtime)
