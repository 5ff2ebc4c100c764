"""Single-event bodies in SportyBet's format, from the market model."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from overround.bookmakers.kit.decoding import PRICES_KEPT
from overround.bookmakers.kit.rendering import (
    AWAY_MARK,
    HOME_MARK,
    PLAYER,
    KeyTemplate,
    WireKey,
    WireMarkets,
    WireOutcome,
    grouped,
    json_text,
    template_text,
)
from overround.bookmakers.kit.simulation import Profile, SimulatedEvent, Size, World
from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, load_mappings
from overround.bookmakers.mapping.wire_forms import WireMarket
from overround.bookmakers.sportybet.listing_wire import SPORT_IDS
from overround.catalogue import Catalogue, Market
from overround.gzip_pieces import Piece, compressed
from overround.records.odds import SUSPENDED_UNPRICED, THOUSANDTHS, MarketKey, MarketPrices, price_text

PROFILE: Final = Profile(
    id_prefix="sr:match:",
    id_offset=0,
    markets={Size.AUDIT: 178, Size.CAPTURED: 360},
    other_sports={"basketball": 177, "tennis": 46},
    counts_lines=True,
    margin=0.088,
    ladder=((10_000, 10), (50_000, 100), (1_000_000, 1_000)),
    lag=0,
    shows_suspended=True,
    gaps=0.01,
    own_spellings=0.06,
    may_list_twice=False,
    latency_ms=(505, 979),
)

_TEMPLATES_KEPT: Final = 20_000
_GROUPS: Final = {
    "main": "Main",
    "goals": "Goals",
    "halves": "Half",
    "combos": "Combo",
    "corners": "Corners",
    "cards": "Bookings",
    "players": "Players",
    "statistics": "Match",
}
_OPEN, _SUSPENDED = "0", "1"
_TAIL: Final = compressed(b"]}}")
# A market that no mapping knows, as every real body has some; its place before the others saves them a comma.
_UNKNOWN_MARKET: Final = (
    b'{"id":"990001","product":3,"desc":"Lucky Minutes","status":0,"group":"Goals","title":"","name":"Lucky Minutes",'
    b'"favourite":0,"outcomes":[{"id":"1","odds":"1.90","probability":"0.5000000000","voidProbability":"0E-10",'
    b'"isActive":1,"desc":"0-2"},{"id":"2","odds":"1.90","probability":"0.5000000000","voidProbability":"0E-10",'
    b'"isActive":1,"desc":"3+"}],"farNearOdds":0,"sourceType":"BET_RADAR","banned":false}'
)


class SportybetFormat:
    """Implements `Simulation` and `BodyFormat`."""

    def __init__(self, catalogue: Catalogue, mapping: MarketMapping) -> None:
        """Read a sport's mapping backwards."""
        self.wire = WireMarkets(catalogue, mapping, _respelled)
        self._templates = Memo(self._template, _TEMPLATES_KEPT)
        self._odds = Memo(_odds, PRICES_KEPT)

    def head(self, event: SimulatedEvent, world: World, priced_at: int) -> bytes:
        """Return the envelope and the event, up to the first market."""
        del world, priced_at
        return _head(event, status=0, match_status="Not start") + _UNKNOWN_MARKET

    def family(self, prices: Mapping[MarketKey, MarketPrices], changed_ms: int) -> str:
        """Return a family's markets."""
        odds = self._odds
        texts: list[str] = []
        for group in grouped(prices, self._templates):
            first = group[0][0]
            is_open = any(max(shown) > 0 for _, shown in group)
            selections = ",".join(
                [
                    # A market that is suspended keeps its selections active.
                    template.body % tuple([odds[price if is_open else abs(price)] for price in shown])
                    for template, shown in group
                ]
            )
            texts += (first.opening % (_OPEN if is_open else _SUSPENDED), selections, first.closing % changed_ms)
        return "".join(texts)

    def tail(self, keys: Iterable[MarketKey]) -> Iterator[Piece]:
        """Return the end of the body."""
        del keys
        yield _TAIL

    def _template(self, key: MarketKey) -> KeyTemplate:
        market = self.wire.of(key)
        specifier = "|".join(f"{name}={value}" for name, value in market.specifiers.items())
        return KeyTemplate(
            group=f"{market.id} {specifier}",
            opening=_opening(market, specifier),
            body=",".join(_selection(market, outcome) for outcome in market.outcomes),
            closing='],"farNearOdds":0,"sourceType":"BET_RADAR","lastOddsChangeTime":%d,"banned":false}',
            slots=tuple(outcome.slot for outcome in market.outcomes),
        )


def body_formats(catalogue: Catalogue) -> Mapping[str, SportybetFormat]:
    """Return the formats by sport.

    Raises:
        CatalogueError: a mapping does not fit the catalogue.
    """
    mappings = load_mappings(__package__, catalogue)
    return {sport: SportybetFormat(catalogue, mapping) for sport, mapping in mappings.items() if sport in SPORT_IDS}


def started(event: SimulatedEvent) -> bytes:
    """Return the body of an event in play: asked for prematch markets, the site shows none."""
    return _head(event, status=1, match_status="H1") + b"]}}"


def _head(event: SimulatedEvent, status: int, match_status: str) -> bytes:
    listing, number = event.listing, event.listing.listing_id.rpartition(":")[2]
    return (
        f'{{"bizCode":10000,"message":"0#0","data":{{"eventId":"{listing.listing_id}","gameId":"{int(number) % 90000}",'
        f'"productStatus":"0#0","estimateStartTime":{round(listing.kickoff.timestamp() * 1000)},"status":{status},'
        f'"matchStatus":"{match_status}","homeTeamId":"sr:competitor:{event.home_number}",'
        f'"homeTeamName":"{json_text(listing.home)}","awayTeamName":"{json_text(listing.away)}",'
        f'"awayTeamId":"sr:competitor:{event.away_number}","sport":{{"id":"{SPORT_IDS[listing.sport]}",'
        f'"name":"{listing.sport.title()}",'
        f'"category":{{"id":"sr:category:{event.country_number}","name":"{json_text(listing.country)}",'
        f'"tournament":{{"id":"sr:tournament:{event.league_number}","name":"{json_text(listing.tournament)}"}}}}}},'
        '"liveChannel":false,"bookingStatus":"Booked","topTeam":false,"commentsNum":0,"topicId":44000000,'
        '"giftGrabActivityResultVO":{"activityEnabled":false,"enabled":false},"ai":false,"bgEvent":false,'
        '"matchTrackerNotAllowed":false,"eventSource":{"preMatchSource":{"sourceType":"BET_RADAR",'
        f'"sourceId":"{number}"}},"liveSource":{{"sourceType":"BET_RADAR","sourceId":"{number}"}}}},'
        '"containsPcbb":false,"banned":false,"markets":['
    ).encode()


def _opening(market: WireKey, specifier: str) -> str:
    stated = f'"specifier":{template_text(specifier)},' if specifier else ""
    definition = market.market
    description = f"{_with_teams(definition.key, definition.name)} {market.line}".strip()
    guide = (
        f"Predict the outcome of this market: {definition.name.lower()}. What counts is the regular time with added "
        "time; extra time and shoot-outs do not. Bets on an abandoned match are returned."
    )
    return (
        f',{{"id":"{market.id}",{stated}"product":3,"desc":{template_text(description)},"status":%s,'
        f'"group":"{_GROUPS.get(definition.group, "Match")}","groupId":"17112113572{len(definition.group)}MGI11262166",'
        f'"marketGuide":{template_text(guide)},"title":{template_text(_title(market))},'
        f'"name":{template_text(definition.name)},"favourite":0,"outcomes":['
    )


def _selection(market: WireKey, outcome: WireOutcome) -> str:
    # A player's name says whom the selection is about, and so holds nothing else.
    label = outcome.label if PLAYER in market.market.specifiers else f"{outcome.label} {market.line}".strip()
    return f'{{"id":{template_text(outcome.id)},%s,"desc":{template_text(label)}}}'


def _title(market: WireKey) -> str:
    return ",".join(outcome.label for outcome in market.outcomes[:3])


def _with_teams(key: str, name: str) -> str:
    if key.startswith("home_"):
        return f"{HOME_MARK} {name}"
    return f"{AWAY_MARK} {name}" if key.startswith("away_") else name


def _odds(price: int) -> str:
    """Return a selection's odds and flags: one that is suspended alone is inactive."""
    if abs(price) <= THOUSANDTHS:
        price = SUSPENDED_UNPRICED
    shown = "1.00" if price == SUSPENDED_UNPRICED else price_text(price)
    probability = f"{950 / max(abs(price), 1010):.10f}"
    return f'"odds":"{shown}","probability":"{probability}","voidProbability":"0E-10","isActive":{int(price > 0)}'


def _respelled(market: Market, wire: WireMarket) -> WireMarket:
    """Return a market as the site spells it: the handicap of a bet that can end level is a goal start, home:away."""
    if market.meaning.settles != "european_handicap":
        return wire
    specifiers = {name: _goal_start(value) for name, value in wire.specifiers.items()}
    return msgspec.structs.replace(wire, specifiers=specifiers)


def _goal_start(handicap: str) -> str:
    if not handicap.removeprefix("-").isdecimal():
        return handicap
    return f"0:{handicap[1:]}" if handicap.startswith("-") else f"{handicap}:0"
