"""SportyBet's single-event answers to catalogue markets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from overround.bookmakers.kit.decoding import LINES_KEPT, MALFORMED, Tally, instant, price_memo, sport_slug, sr_number
from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, Route, Split, Target, load_mappings
from overround.bookmakers.sportybet.listing_wire import SPORT_IDS
from overround.bookmakers.sportybet.wire import (
    ACTIVE,
    NOT_STARTED,
    OPEN,
    PREMATCH,
    SLUG,
    Event,
    Market,
    Outcome,
    decode_event,
)
from overround.catalogue import Catalogue
from overround.errors import LineError, MalformedError, PriceError
from overround.records.event import Listing, Offer
from overround.records.odds import MarketKey, MarketPrices

_SPORTS: Final = {sport_id: sport for sport, sport_id in SPORT_IDS.items()}
_ENDED: Final = 3  # this status and those above


class SportybetNormaliser:
    """Decodes and normalises SportyBet's single-event bodies."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read the mapping.

        Raises:
            CatalogueError: the mapping does not fit the catalogue.
        """
        mappings = load_mappings(__package__, catalogue)
        self._routes = {sport: _route_memo(mapping) for sport, mapping in mappings.items()}
        self._no_routes = _route_memo(MarketMapping())
        self._covered = frozenset[str]().union(*(mapping.covered for mapping in mappings.values()))
        self._prices = price_memo()

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._covered

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Decode and normalise a single-event body received at `at`.

        Raises:
            FetchError: MalformedError, BlockedError (not JSON) or GoneError (`bizCode` other than 10000).
        """
        tally = Tally()
        event = decode_event(body, tally)
        listing = _listing(event)
        markets, occurrences = self._markets(event, self._routes.get(listing.sport, self._no_routes), tally)
        prematch = event.status == NOT_STARTED and all(market.product == PREMATCH for market in event.markets)
        return Offer(
            listing=listing,
            markets=markets,
            complete=prematch and at < listing.kickoff and tally.complete,
            unmapped=tally.unmapped_markets,
            dropped=tally.dropped_markets,
            occurrences=occurrences,
        )

    def _markets(
        self, event: Event, routes: Memo[tuple[str, str], Route | None], tally: Tally
    ) -> tuple[Mapping[MarketKey, MarketPrices], int]:
        """Return the prices by key, and how many of the wire's markets they are of."""
        markets: dict[MarketKey, MarketPrices] = {}
        occurrences = 0
        for market in event.markets:
            try:
                route = routes[market.id, market.specifier]
            except LineError:
                tally.drop("bad_line", f"{market.id} {market.specifier}".strip())
                continue
            if route is None:
                tally.unmapped(market.id, market.name or market.desc)
                continue
            is_open = market.status == OPEN and not (market.banned or event.banned)
            if isinstance(route, Target):
                prices = self._outcomes(market, route, is_open, tally)
                occurrences += _store(route.key, prices, markets, market.id, tally)
            else:
                found = self._selections(market, route, is_open, tally)
                occurrences += True in [_store(key, found[key], markets, market.id, tally) for key in found]
        return markets, occurrences

    def _outcomes(self, market: Market, target: Target, is_open: bool, tally: Tally) -> list[int]:  # noqa: FBT001 - the market's state
        prices = [0] * target.width
        slots, known = target.slots, self._prices
        for outcome in market.outcomes:
            try:
                slot = slots[outcome.id]
                price = known[outcome.odds]
            except KeyError:
                reason = "malformed_outcome" if outcome.id == MALFORMED else "unknown_outcome"
                tally.drop(reason, _field(market, outcome), target.key)
                continue
            except PriceError:
                tally.drop("bad_price", _field(market, outcome), target.key)
                continue
            prices[slot] = price if is_open and outcome.is_active == ACTIVE else -abs(price)
        return prices

    def _selections(
        self,
        market: Market,
        split: Split,
        is_open: bool,  # noqa: FBT001 - the market's state
        tally: Tally,
    ) -> Mapping[MarketKey, list[int]]:
        """Return the prices of a market that is split among several keys, as by players."""
        found: dict[MarketKey, list[int]] = {}
        known, price_of = split.known, self._prices
        for outcome in market.outcomes:
            try:
                place = known[outcome.id, outcome.desc]
            except LineError:
                tally.drop("bad_selection", _field(market, outcome))
                continue
            if place is None:
                tally.unmapped(market.id, market.name or market.desc)
                continue
            target, slot = place
            try:
                price = price_of[outcome.odds]
            except PriceError:
                tally.drop("bad_price", _field(market, outcome), target.key)
                continue
            prices = found.get(target.key)
            if prices is None:
                prices = found[target.key] = [0] * target.width
            if prices[slot]:
                tally.drop("duplicate_market", market.id, target.key)
            else:
                prices[slot] = price if is_open and outcome.is_active == ACTIVE else -abs(price)
        return found


def _store(
    key: MarketKey, prices: list[int], markets: dict[MarketKey, MarketPrices], wire_id: str, tally: Tally
) -> bool:
    """Add a market's prices to the others, and tell whether there were any and the market was new."""
    if key in markets:
        tally.drop("duplicate_market", wire_id, key)
        return False
    if not any(prices):
        tally.drop("no_outcomes", wire_id, key)
        return False
    markets[key] = MarketPrices(tuple(prices))
    return True


def _route_memo(mapping: MarketMapping) -> Memo[tuple[str, str], Route | None]:
    return Memo(lambda market: mapping.route(market[0], _specifiers(market[1])), LINES_KEPT)


def _specifiers(text: str) -> dict[str, str]:
    """Return the specifiers by name; "total=1.5|score=0:0" is the wire's form."""
    pairs = (part.partition("=") for part in text.split("|") if part)
    return {name: value for name, _, value in pairs}


def _field(market: Market, outcome: Outcome) -> str:
    return f"{market.id}/{outcome.id}" if outcome.id else market.id


def _listing(event: Event) -> Listing:
    sport = event.sport
    try:
        kickoff = instant(event.estimate_start_time)
    except OverflowError:
        reason = f"{event.estimate_start_time} is no date"
        raise MalformedError(SLUG, event.event_id, reason, "data.estimateStartTime") from None
    return Listing(
        bookmaker=SLUG,
        listing_id=event.event_id,
        sr_id=sr_number(event.event_id) if event.event_id.startswith("sr:match:") else None,
        sport=_SPORTS.get(sport.id) or sport_slug(sport.name),
        home=event.home_team_name,
        away=event.away_team_name,
        kickoff=kickoff,
        country=sport.category.name,
        tournament=sport.category.tournament.name,
        active=event.status < _ENDED,
    )
