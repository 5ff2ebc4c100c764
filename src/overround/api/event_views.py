"""Events as the API and the page show them: pure functions of book, cache and catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat

from overround.api.event_schemas import BookmakerFreshness, BookmakerMarket, EventView, MarketView, OutcomePrice
from overround.api.state import ApiState
from overround.caching.odds_cache import CachedSnapshot
from overround.catalogue import Market
from overround.event import Event
from overround.odds import (
    NOT_OFFERED,
    MarketKey,
    MarketPrices,
    margin,
    outcome_state,
    price_text,
    shown_price,
    specifiers_of,
)

DEFAULT_MARKETS = (
    MarketKey("match_result"),
    MarketKey("double_chance"),
    MarketKey("total_goals", "line=2.5"),
    MarketKey("both_teams_to_score"),
)


def parse_markets(text: str) -> tuple[MarketKey, ...]:
    """Return the keys of "match_result,total_goals:line=2.5"."""
    parts = (part.strip().partition(":") for part in text.split(",") if part.strip())
    return tuple(MarketKey(market, specifiers) for market, _, specifiers in parts)


def event_view(state: ApiState, event: Event, markets: Iterable[MarketKey] | None) -> EventView:
    """Return an event with the given markets; with all that any bookmaker has, where None are given."""
    snapshots = state.cache.event(event.sr_id)
    keys = _all_keys(state, snapshots) if markets is None else markets
    views = (_market_view(state, key, snapshots) for key in keys)
    return EventView(
        sr_id=event.sr_id,
        sport=event.sport,
        home=event.home,
        away=event.away,
        kickoff=event.kickoff,
        country=event.country,
        tournament=event.tournament,
        conflict=event.conflict,
        bookmakers={slug: _freshness(state, event, slug, snapshots.get(slug)) for slug in state.bookmakers},
        markets=[view for view in views if view is not None],
    )


def _all_keys(state: ApiState, snapshots: Mapping[str, CachedSnapshot]) -> Sequence[MarketKey]:
    keys = {key for cached in snapshots.values() for key in cached.markets}
    return sorted(keys, key=lambda key: (state.catalogue.number(key.market), _line_order(key)))


def _line_order(key: MarketKey) -> tuple[int, int, str]:
    """Sort numeric lines by value, in ten-thousandths, and everything else by its text."""
    _, _, value = key.specifiers.partition("=")
    whole, _, part = value.lstrip("-").partition(".")
    if not (whole + part).isdigit():
        return (1, 0, value)
    size = int(whole or "0") * 10_000 + int(part.ljust(4, "0")[:4])
    return (0, -size if value.startswith("-") else size, "")


def _market_view(state: ApiState, key: MarketKey, snapshots: Mapping[str, CachedSnapshot]) -> MarketView | None:
    market = state.catalogue.find(key.market)
    if market is None:
        return None
    return MarketView(
        key=f"{key.market}:{key.specifiers}" if key.specifiers else key.market,
        market=market.key,
        name=market.name,
        group=market.group,
        specifiers=dict(specifiers_of(key)),
        outcomes=list(market.outcomes),
        bookmakers={slug: _cell(state, market, key, slug, snapshots.get(slug)) for slug in state.bookmakers},
    )


def _cell(state: ApiState, market: Market, key: MarketKey, slug: str, cached: CachedSnapshot | None) -> BookmakerMarket:
    if cached is not None and key in cached.markets:
        return _bookmaker_market(market, key, cached)
    return BookmakerMarket(state=_why_empty(state, key, slug, cached))


def _why_empty(state: ApiState, key: MarketKey, slug: str, cached: CachedSnapshot | None) -> str:
    if cached is None:
        return "not_seen"
    return "not_offered" if key.market in state.covered.get(slug, ()) else "not_mapped"


def _bookmaker_market(market: Market, key: MarketKey, cached: CachedSnapshot) -> BookmakerMarket:
    prices = cached.markets[key]
    return BookmakerMarket(
        state=prices.state,
        margin=_margin(market, prices),
        changed_at=cached.market_changed_at(key),
        confirmed_at=cached.market_confirmed_at(key),
        outcomes=[
            OutcomePrice(outcome=outcome, price=_text(price), previous=_text(before), state=outcome_state(price))
            for outcome, price, before in zip(market.outcomes, prices.prices, _before(cached, key), strict=False)
        ],
    )


def _before(cached: CachedSnapshot, key: MarketKey) -> Iterable[int]:
    """Return the outcomes' prices before the market's last change, without end."""
    previous = cached.previous.get(key)
    return chain(previous.prices if previous is not None else (), repeat(NOT_OFFERED))


def _margin(market: Market, prices: MarketPrices) -> float | None:
    if market.probability_sum is None or len(prices.prices) != len(market.outcomes):
        return None
    exact = margin(prices, market.probability_sum, market.covers)
    return None if exact is None else round(float(exact), 5)


def _text(price: int) -> str | None:
    shown = shown_price(price)
    return None if shown is None else price_text(shown)


def _freshness(state: ApiState, event: Event, slug: str, cached: CachedSnapshot | None) -> BookmakerFreshness:
    listing = state.book.listings_of(event.sr_id).get(slug)
    return BookmakerFreshness(
        listing_id=listing.listing_id if listing is not None else None,
        received_at=cached.received_at if cached is not None else None,
        confirmed_at=cached.confirmed_at if cached is not None else None,
        age_seconds=round((state.clock.now() - cached.confirmed_at).total_seconds(), 1) if cached is not None else None,
        markets=sum(bool(prices.prices) for prices in cached.markets.values()) if cached is not None else 0,
    )
