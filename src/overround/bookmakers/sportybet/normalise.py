"""SportyBet's single-event answers to catalogue markets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from overround.bookmakers.kit.dates import from_milliseconds
from overround.bookmakers.kit.decoding import (
    LINES_KEPT,
    MALFORMED,
    Tally,
    has_outcomes,
    lose_outcome,
    price_memo,
    sport_slug,
    sr_number,
)
from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, Route, Split, Target, load_mappings
from overround.bookmakers.sportybet.listing_wire import SPORT_IDS
from overround.bookmakers.sportybet.wire import (
    ACTIVE,
    NOT_STARTED,
    OPEN,
    PREMATCH,
    SLUG,
    Category,
    Event,
    Market,
    Outcome,
    decode_event,
)
from overround.catalogue import Catalogue
from overround.errors import DateError, LineError, MalformedError, PriceError
from overround.records.event import Listing, Offer
from overround.records.odds import SUSPENDED_UNPRICED, UNREAD, MarketKey, MarketPrices
from overround.texts import plain_text

_SPORTS: Final = {sport_id: sport for sport, sport_id in SPORT_IDS.items()}
_ENDED: Final = 3  # this status and those above
# In play, halted, ended, settled, interrupted, abandoned. The other numbers are of matches called off or put off.
_STARTED: Final = frozenset((1, 2, 3, 4, 7, 9))


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
            FetchError: MalformedError, BlockedError (not JSON), or what a `bizCode` other than 10000 means.
        """
        tally = Tally()
        event = decode_event(body, tally)
        listing = _listing(event)
        markets, occurrences = self._markets(event, self._routes.get(listing.sport, self._no_routes), tally)
        live = event.status in _STARTED or (bool(event.markets) and not _prematch_markets(event))
        # An empty list of markets says that none is offered; null or no list says nothing.
        says = event.markets is not None and event.status == NOT_STARTED and not live
        return Offer(
            listing=listing,
            markets=markets,
            complete=says and at < listing.kickoff and tally.complete,
            live=live,
            suspended=_is_suspended(event),
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
        suspended = _is_suspended(event)
        for market in event.markets or ():
            if market.product != PREMATCH:
                tally.drop("live_market", market.id)
                continue
            try:
                route = routes[market.id, market.specifier or ""]
            except LineError:
                tally.drop("bad_line", f"{market.id} {market.specifier or ''}".strip())
                continue
            if route is None:
                tally.unmapped(market.id, plain_text(market.name or market.desc))
                continue
            is_open = market.status == OPEN and not (market.banned or suspended)
            if isinstance(route, Target):
                prices = self._outcomes(market, route, is_open, tally)
                occurrences += _store(route.key, prices, markets, market.id, tally)
            else:
                split = self._selections(market, route, is_open, tally)
                found = {key: prices for key, prices in split.items() if has_outcomes(prices)}
                occurrences += True in [_store(key, found[key], markets, market.id, tally) for key in found]
        return markets, occurrences

    def _outcomes(self, market: Market, target: Target, is_open: bool, tally: Tally) -> list[int]:  # noqa: FBT001 - the market's state
        prices = [0] * target.width
        slots, lost = target.slots, False
        for outcome in market.outcomes or ():
            slot = slots.get(outcome.id)
            if slot is None:
                lost = lost or outcome.id == MALFORMED
                reason = "malformed_outcome" if outcome.id == MALFORMED else "unknown_outcome"
                tally.drop(reason, _field(market, outcome), target.key)
                continue
            prices[slot] = self._price(market, outcome, target.key, is_open, tally)
        if lost:
            lose_outcome(prices)
        return prices

    def _price(self, market: Market, outcome: Outcome, key: MarketKey, is_open: bool, tally: Tally) -> int:  # noqa: FBT001 - the market's state
        """Return an outcome's price with its state; one that cannot be read matters only while it can be bet on."""
        is_active = is_open and outcome.is_active == ACTIVE
        try:
            price = self._prices[outcome.odds]
        except PriceError:
            if not is_active:
                return SUSPENDED_UNPRICED
            tally.drop("bad_price", _field(market, outcome), key)
            return UNREAD
        return price if is_active else -abs(price)

    def _selections(
        self,
        market: Market,
        split: Split,
        is_open: bool,  # noqa: FBT001 - the market's state
        tally: Tally,
    ) -> Mapping[MarketKey, list[int]]:
        """Return the prices of a market that is split among several keys, as by players."""
        found: dict[MarketKey, list[int]] = {}
        known = split.known
        for outcome in market.outcomes or ():
            try:
                place = known[outcome.id, outcome.desc or ""]
            except LineError:
                tally.drop("bad_selection", _field(market, outcome))
                continue
            if place is None:
                tally.unmapped(market.id, plain_text(market.name or market.desc))
                continue
            target, slot = place
            prices = found.get(target.key)
            if prices is None:
                prices = found[target.key] = [0] * target.width
            if prices[slot]:
                tally.drop("duplicate_market", market.id, target.key)
            else:
                prices[slot] = self._price(market, outcome, target.key, is_open, tally)
        return found


def _prematch_markets(event: Event) -> bool:
    return any(market.product == PREMATCH for market in event.markets or ())


def _is_suspended(event: Event) -> bool:
    """Tell whether nothing of the event can be bet on: it is banned, or called off or put off."""
    return bool(event.banned) or event.status != NOT_STARTED


def _store(
    key: MarketKey, prices: list[int], markets: dict[MarketKey, MarketPrices], wire_id: str, tally: Tally
) -> bool:
    """Add a market's prices to the others, and tell whether there were any and the market was new."""
    if key in markets:
        tally.drop("duplicate_market", wire_id, key)
        return False
    if not has_outcomes(prices):
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
    sport, category = event.sport, event.sport.category or Category()
    try:
        kickoff = from_milliseconds(event.estimate_start_time)
    except DateError as error:
        raise MalformedError(SLUG, event.event_id, str(error), "data.estimateStartTime") from None
    return Listing(
        bookmaker=SLUG,
        listing_id=event.event_id,
        sr_id=sr_number(event.event_id) if event.event_id.startswith("sr:match:") else None,
        sport=_SPORTS.get(sport.id) or sport_slug(sport.name or ""),
        home=plain_text(event.home_team_name),
        away=plain_text(event.away_team_name),
        kickoff=kickoff,
        country=plain_text(category.name),
        tournament=plain_text(category.tournament.name) if category.tournament else "",
        active=event.status < _ENDED,
    )
