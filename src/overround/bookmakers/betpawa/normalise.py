"""BetPawa's single-event answers to catalogue markets."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from overround.bookmakers.betpawa.listing_wire import SPORT_IDS
from overround.bookmakers.betpawa.wire import (
    AWAY,
    HOME,
    ROW_SPECIFIER,
    SLUG,
    SPORTRADAR,
    AnyEvent,
    AnyMarket,
    Price,
    Row,
    decode_event,
)
from overround.bookmakers.kit.dates import bounded
from overround.bookmakers.kit.decoding import (
    LINES_KEPT,
    MALFORMED,
    PRICES_KEPT,
    Tally,
    bettable_price,
    decode_or_none,
    has_outcomes,
    lose_outcome,
    number_text,
    sport_slug,
    sr_number,
)
from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, Route, Split, Target, load_mappings
from overround.catalogue import Catalogue
from overround.errors import DateError, LineError, MalformedError, PriceError
from overround.records.event import Listing, Offer
from overround.records.odds import SUSPENDED_UNPRICED, UNREAD, MarketKey, MarketPrices
from overround.texts import plain_text

_SPORTS: Final = {sport_id: sport for sport, sport_id in SPORT_IDS.items()}
_LINE: Final = "line"
_QUARTERS: Final = 4


class _Lines:
    """A sport's markets: by type id and the wire's quarters, or by type id and the line's text."""

    def __init__(self, mapping: MarketMapping) -> None:
        self._mapping = mapping
        self.by_quarters: Memo[tuple[str, int | None], Route | None] = Memo(self._by_quarters, LINES_KEPT)
        self.by_text: Memo[tuple[str, str], Route | None] = Memo(self._by_text, LINES_KEPT)

    def _by_quarters(self, market: tuple[str, int | None]) -> Route | None:
        type_id, quarters = market
        if quarters is None:
            return self._mapping.route(type_id, {})
        return self._mapping.route(type_id, {_LINE: str(Decimal(quarters) / _QUARTERS)})

    def _by_text(self, market: tuple[str, str]) -> Route | None:
        type_id, line = market
        return self._mapping.route(type_id, {_LINE: line})


class BetpawaNormaliser:
    """Decodes and normalises BetPawa's single-event bodies, of API versions 3 and 4."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read the mapping.

        Raises:
            CatalogueError: the mapping does not fit the catalogue.
        """
        mappings = load_mappings(__package__, catalogue)
        self._lines = {sport: _Lines(mapping) for sport, mapping in mappings.items()}
        self._no_lines = _Lines(MarketMapping())
        self._covered = frozenset[str]().union(*(mapping.covered for mapping in mappings.values()))
        self._prices: Memo[bytes, int] = Memo(lambda odds: bettable_price(number_text(odds)), PRICES_KEPT)

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._covered

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Decode and normalise a single-event body received at `at`.

        Raises:
            FetchError: MalformedError, BlockedError (not JSON), or what an error in the body means.
        """
        tally = Tally()
        event = decode_event(body, tally)
        listing = _listing(event)
        flags = event.additional_info
        live = flags is not None and bool(flags.live)
        closed = bool(event.suspended) or (flags is not None and bool(flags.suspended))
        markets, occurrences = self._markets(event.markets or (), self._lines.get(listing.sport, self._no_lines), tally)
        return Offer(
            listing=listing,
            markets=_suspended(markets) if closed else markets,
            live=live,
            suspended=closed,
            complete=event.markets is not None and not live and at < listing.kickoff and tally.complete,
            unmapped=tally.unmapped_markets,
            dropped=tally.dropped_markets,
            occurrences=occurrences,
        )

    def _markets(
        self, wire_markets: Iterable[AnyMarket], lines: _Lines, tally: Tally
    ) -> tuple[Mapping[MarketKey, MarketPrices], int]:
        """Return the prices by key, and how many of the wire's markets, each with its line, they are of."""
        markets: dict[MarketKey, MarketPrices] = {}
        occurrences = 0
        for market in wire_markets:
            found, mapped = self._rows(market, lines, tally)
            occurrences += mapped
            for target, prices in found.items():
                key = target.key
                if key in markets:
                    tally.drop("duplicate_market", market.market_type.id, key)
                elif has_outcomes(prices):
                    markets[key] = MarketPrices(tuple(map(_closed, prices) if market.suspended else prices))
                else:
                    tally.drop("no_outcomes", market.market_type.id, key)
        return markets, occurrences

    def _rows(self, market: AnyMarket, lines: _Lines, tally: Tally) -> tuple[Mapping[Target, list[int]], int]:
        """Return a market's prices by target, and of how many lines.

        Several rows may be of one line, where a row is just a line of display.
        """
        found: dict[Target, list[int]] = {}
        mapped: set[int | None] = set()
        unmapped: set[int | None] = set()
        type_id, by_quarters = market.market_type.id, lines.by_quarters
        for row in market.row or ():
            try:
                route = by_quarters[type_id, row.handicap]
            except LineError:
                route = _route_elsewhere(type_id, row, lines, tally)
                if route is None:
                    continue
            if route is None:
                unmapped.add(row.handicap)
                continue
            mapped.add(row.handicap)
            if isinstance(route, Target):
                if route not in found:
                    found[route] = [0] * route.width
                self._row(row, route, found[route], type_id, tally)
            else:
                self._selections(row, route, found, market, tally)
        if unmapped:
            tally.unmapped(type_id, plain_text(market.market_type.name), len(unmapped))
        return found, len(mapped)

    def _selections(
        self, row: Row[Price], split: Split, found: dict[Target, list[int]], market: AnyMarket, tally: Tally
    ) -> None:
        """Add the prices of a row whose selections are split among several keys, as by players."""
        type_id, known = market.market_type.id, split.known
        for outcome in row.prices or ():
            try:
                place = known[outcome.type_id, outcome.name or ""]
            except LineError:
                tally.drop("bad_selection", f"{type_id}/{outcome.type_id}")
                continue
            if place is None:
                tally.unmapped(type_id, plain_text(market.market_type.name))
                continue
            target, slot = place
            price = self._price(outcome, f"{type_id}/{outcome.type_id}", target.key, tally)
            prices = found.get(target)
            if prices is None:
                prices = found[target] = [0] * target.width
            if prices[slot]:
                tally.drop("duplicate_market", type_id, target.key)
            else:
                prices[slot] = price

    def _row(self, row: Row[Price], target: Target, prices: list[int], type_id: str, tally: Tally) -> None:
        slots, repeated, lost = target.slots, False, False
        for outcome in row.prices or ():
            slot = slots.get(outcome.type_id)
            if slot is None:
                lost = lost or outcome.type_id == MALFORMED
                _drop_outcome(outcome, type_id, target.key, tally)
            elif prices[slot]:
                repeated = True
            else:
                prices[slot] = self._price(outcome, f"{type_id}/{outcome.type_id}", target.key, tally)
        if lost:
            lose_outcome(prices)
        if repeated:
            tally.drop("duplicate_market", type_id, target.key)

    def _price(self, outcome: Price, field: str, key: MarketKey, tally: Tally) -> int:
        """Return an outcome's price with its state; one that cannot be read matters only while it can be bet on."""
        try:
            price = self._prices[bytes(outcome.odds)]
        except (PriceError, UnicodeDecodeError):
            if outcome.suspended:
                return SUSPENDED_UNPRICED
            tally.drop("bad_price", field, key)
            return UNREAD
        return -abs(price) if outcome.suspended else price


def _drop_outcome(outcome: Price, type_id: str, key: MarketKey, tally: Tally) -> None:
    if outcome.type_id == MALFORMED:
        tally.drop("malformed_outcome", type_id, key)
    else:
        tally.drop("unknown_outcome", f"{type_id}/{outcome.type_id}", key)


def _closed(price: int) -> int:
    return SUSPENDED_UNPRICED if price == UNREAD else -abs(price)


def _suspended(markets: Mapping[MarketKey, MarketPrices]) -> Mapping[MarketKey, MarketPrices]:
    """Return the markets of an event that is suspended: whatever it still shows cannot be bet on."""
    return {key: MarketPrices(tuple(map(_closed, market.prices))) for key, market in markets.items()}


def _route_elsewhere(type_id: str, row: Row[Price], lines: _Lines, tally: Tally) -> Route | None:
    """Return where a row goes whose handicap is absent: a protobuf mapping leaves out 0 as it does every default."""
    try:
        if row.handicap is None:
            return lines.by_text[type_id, _line_text(row)]
    except LineError:
        pass
    tally.drop("bad_line", type_id)
    return None


def _line_text(row: Row[Price]) -> str:
    """Return a row's line without `handicap`: from its specifier, else from its first price, the home side's."""
    specifier = decode_or_none(ROW_SPECIFIER, row.specifier)
    if specifier and (specifier.hcp or specifier.total):
        return specifier.hcp or specifier.total or ""
    text = next((price.handicap for price in row.prices or () if price.handicap), "")
    return text.removeprefix("Home ")


def _listing(event: AnyEvent) -> Listing:
    names = {team.position: plain_text(team.name) for team in event.participants}
    home, away = names.get(HOME), names.get(AWAY)
    if not home or not away:
        raise MalformedError(SLUG, event.id, "home and away are not both there", "participants")
    try:
        kickoff = bounded(event.start_time)
    except DateError as error:
        raise MalformedError(SLUG, event.id, str(error), "startTime") from None
    return Listing(
        bookmaker=SLUG,
        listing_id=event.id,
        sr_id=next((sr_number(widget.id or "") for widget in event.widgets or () if widget.type == SPORTRADAR), None),
        sport=_SPORTS.get(event.category.id) or sport_slug(event.category.name or ""),
        home=home,
        away=away,
        kickoff=kickoff,
        country=plain_text(event.region.name) if event.region else "",
        tournament=plain_text(event.competition.name) if event.competition else "",
    )
