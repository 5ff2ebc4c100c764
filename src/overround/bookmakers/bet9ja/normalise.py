"""Bet9ja's single-event answers to catalogue markets."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from overround.bookmakers.bet9ja.listing_wire import SPORT_IDS
from overround.bookmakers.bet9ja.wire import OPEN, SLUG, Event, Odds, decode_event, labels
from overround.bookmakers.kit.dates import bounded
from overround.bookmakers.kit.decoding import (
    LINES_KEPT,
    PRICES_KEPT,
    Tally,
    bettable_price,
    has_outcomes,
    sport_slug,
    sr_number,
)
from overround.bookmakers.kit.names import two_teams
from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, Target, load_mappings
from overround.catalogue import Catalogue
from overround.errors import DateError, LineError, MalformedError, PriceError
from overround.records.event import Listing, Offer
from overround.records.odds import SUSPENDED_UNPRICED, UNREAD, MarketKey, MarketPrices
from overround.texts import plain_text

_IN_PLAY: Final = 3_000_000  # added to a sport's number in live bodies
_SPORTS: Final = {number: sport for sport, text in SPORT_IDS.items() for number in (int(text), int(text) + _IN_PLAY)}
_LINE: Final = "line"
_NOT_BETTABLE: Final = frozenset(("-", ""))
_NAMES_KEPT: Final = 5_000
_UNKNOWN: Final = -1


class _Place(msgspec.Struct, frozen=True, eq=False):
    """Where the price under one odds key goes; below 0 is a slot that the target does not have.

    `base` is the key without the outcome, one object for all outcomes of a line.
    """

    base: str
    target: Target | None
    slot: int


class _Places:
    """A sport's odds keys, such as `S_OU@2.5_O`: prefix and market, line, outcome."""

    def __init__(self, mapping: MarketMapping) -> None:
        self._mapping = mapping
        self._bases: Memo[str, tuple[str, tuple[Target, ...]]] = Memo(self._find, LINES_KEPT)
        self.by_key: Memo[str, _Place] = Memo(self._place, LINES_KEPT)

    def _find(self, base: str) -> tuple[str, tuple[Target, ...]]:
        market, _, line = base.partition("@")
        return base, self._mapping.targets(market, {_LINE: line} if line else {})

    def _place(self, key: str) -> _Place:
        base, _, outcome = key.rpartition("_")
        base, targets = self._bases[base]
        for target in targets:
            if outcome in target.slots:
                return _Place(base, target, target.slots[outcome])
        # Of an id that is split among several markets, selections that none of them has are simply not mapped.
        return _Place(base, targets[0] if len(targets) == 1 else None, _UNKNOWN)


class _Read(msgspec.Struct, frozen=True):
    """A body's prices by target, and the bases, each a market with its line, that are mapped and that are not."""

    found: dict[Target, list[int]]
    mapped: set[str]
    unmapped: set[str]


class Bet9jaNormaliser:
    """Decodes and normalises Bet9ja's single-event bodies."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Read the mapping.

        Raises:
            CatalogueError: the mapping does not fit the catalogue.
        """
        mappings = load_mappings(__package__, catalogue)
        self._places = {sport: _Places(mapping) for sport, mapping in mappings.items()}
        self._no_places = _Places(MarketMapping())
        self._covered = frozenset[str]().union(*(mapping.covered for mapping in mappings.values()))
        self._prices = Memo(_price, PRICES_KEPT)
        self._names: dict[str, str] = {}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._covered

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Decode and normalise a single-event body received at `at`.

        Raises:
            FetchError: MalformedError, BlockedError (not JSON), GoneError (`D` is false), or what another `R` means.
        """
        event, prematch = decode_event(body)
        listing = _listing(event)
        tally = Tally()
        places = self._places.get(listing.sport, self._no_places)
        read = self._prices_by_target(event.o if isinstance(event.o, dict) else {}, places, tally)
        closed = event.st != OPEN
        found = {target: prices for target, prices in read.found.items() if has_outcomes(prices)}
        markets = _markets(_suspended(found) if closed else found, tally)
        self._name(read.unmapped, body, tally)
        return Offer(
            listing=listing,
            markets=markets,
            complete=event.o is not None and prematch and at < listing.kickoff and tally.complete,
            live=not prematch or event.sid > _IN_PLAY,
            suspended=closed,
            unmapped=tally.unmapped_markets,
            dropped=tally.dropped_markets,
            occurrences=len(read.mapped) - (len(read.found) - len(markets)),
        )

    def _prices_by_target(self, odds: Odds, places: _Places, tally: Tally) -> _Read:
        found: dict[Target, list[int]] = {}
        mapped: set[str] = set()
        unmapped: set[str] = set()
        place_of, known = places.by_key, self._prices
        for key, text in odds.items():
            try:
                place = place_of[key]
                target = place.target
                if target is None:
                    unmapped.add(place.base)
                    continue
                price = known[text]
            except LineError:
                tally.drop("bad_line", key)
                continue
            except PriceError:
                tally.drop("bad_price", key, target.key if target else None)
                price = UNREAD
            if target is None:
                continue
            if place.slot < 0:
                tally.drop("unknown_outcome", key, target.key)
                continue
            prices = found.get(target)
            if prices is None:
                found[target] = prices = [0] * target.width
                mapped.add(place.base)
            prices[place.slot] = price
        return _Read(found, mapped, unmapped)

    def _name(self, unmapped: set[str], body: bytes, tally: Tally) -> None:
        """Count the unmapped markets by id and name; the body is decoded for names only if there are new ids."""
        ids = [base.partition("@")[0] for base in unmapped]
        if not self._names.keys() >= set(ids):
            if len(self._names) > _NAMES_KEPT:
                self._names.clear()
            self._names |= dict.fromkeys(ids, "") | labels(body)
        for market in ids:
            tally.unmapped(market, self._names[market])


def _suspended(found: Mapping[Target, list[int]]) -> dict[Target, list[int]]:
    """Return the prices of an event that is closed: whatever it still shows cannot be bet on."""
    return {
        target: [SUSPENDED_UNPRICED if price == UNREAD else -abs(price) for price in prices]
        for target, prices in found.items()
    }


def _markets(found: Mapping[Target, list[int]], tally: Tally) -> dict[MarketKey, MarketPrices]:
    markets = {target.key: MarketPrices(tuple(prices)) for target, prices in found.items()}
    if len(markets) < len(found):
        _prefer_first(found, markets, tally)
    return markets


def _prefer_first(found: Mapping[Target, list[int]], markets: dict[MarketKey, MarketPrices], tally: Tally) -> None:
    """Let the mapping's order decide between two wire markets of one key: that of the odds means nothing."""
    kept: dict[MarketKey, Target] = {}
    for target in sorted(found, key=lambda target: (target.rank, found[target])):
        if target.key in kept:
            tally.drop("duplicate_market", target.key.market, target.key)
        else:
            kept[target.key] = target
            markets[target.key] = MarketPrices(tuple(found[target]))


def _price(text: str) -> int:
    return SUSPENDED_UNPRICED if text in _NOT_BETTABLE else bettable_price(text)


def _listing(event: Event) -> Listing:
    teams = two_teams(event.ds)
    if teams is None:
        raise MalformedError(SLUG, str(event.id), f"{event.ds[:80]!r} does not name two teams", "D.DS")
    try:
        kickoff = bounded(event.startdate.replace(tzinfo=event.startdate.tzinfo or UTC))
    except DateError as error:
        raise MalformedError(SLUG, str(event.id), str(error), "D.STARTDATE") from None
    return Listing(
        bookmaker=SLUG,
        listing_id=str(event.id),
        sr_id=sr_number(str(event.extid or "")),
        sport=_SPORTS.get(event.sid) or sport_slug(event.s or ""),
        home=teams[0],
        away=teams[1],
        kickoff=kickoff,
        country=plain_text(event.sg),
        tournament=plain_text(event.gn),
        active=event.st == OPEN,
    )
