"""Single-event bodies in BetPawa's format, version 4, from the market model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from overround.bookmakers.betpawa.listing_wire import SPORT_IDS
from overround.bookmakers.kit.decoding import PRICES_KEPT
from overround.bookmakers.kit.rendering import (
    EVENT_MARK,
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
from overround.catalogue import Catalogue, Market
from overround.gzip_pieces import Piece, compressed
from overround.records.odds import THOUSANDTHS, MarketKey, MarketPrices, price_text

PROFILE: Final = Profile(
    id_prefix="",
    id_offset=-7_000_000,
    markets={Size.AUDIT: 50, Size.CAPTURED: 79},
    other_sports={"basketball": 10, "tennis": 10},
    counts_lines=False,
    margin=0.101,
    ladder=((25_000, 10), (100_000, 50), (300_000, 1_000)),
    lag=1,
    liveliness=0.9,
    shows_suspended=False,
    gaps=0.04,
    unnumbered=0.004,
    unnumbered_in_lists=0.02,
    own_spellings=0.09,
    latency_ms=(337, 517),
)

_TEMPLATES_KEPT: Final = 20_000
_QUARTERS: Final = 4
_LINE: Final = "line"
_PRICES_IN_A_ROW: Final = 3
_ONE_ROW: Final = 4
_HANDICAP_TYPES: Final = {"european_handicap": "EUROPEAN", "handicap": "ASIAN", "total": "NORMAL"}
_TABS: Final = {"main": "popular", "halves": "halves", "goals": "goals", "combos": "combos"}
# A market that no mapping knows, as every real body has some; its place before the others saves them a comma.
_UNKNOWN_MARKET: Final = (
    '{"marketType":{"id":"99000001","name":"Lucky Minutes","displayName":"Lucky Minutes","priority":900,'
    '"tabs":["all","specials"]},"row":[{"prices":[{"id":"1","name":"Yes","typeId":"99000002","odds":1.9,'
    '"displayName":"Yes","additionalInfo":{"anyUp":"NO_UP"},"probability":{"win":0.5,"refund":0.0}}]}],'
    '"additionalInfo":{"cashoutable":true}}'
)


class BetpawaFormat:
    """Implements `BodyFormat`, and has the mapping read backwards."""

    def __init__(self, catalogue: Catalogue, mapping: MarketMapping) -> None:
        """Read a sport's mapping backwards."""
        self.wire = WireMarkets(catalogue, mapping, _respelled)
        self._templates = Memo(self._template, _TEMPLATES_KEPT)
        self._odds = Memo(_odds, PRICES_KEPT)

    def head(self, event: SimulatedEvent, world: World, priced_at: int) -> bytes:
        """Return the event, up to the first market; its version grows with every change."""
        del world
        listing = event.listing
        home, away = json_text(listing.home), json_text(listing.away)
        widgets = "" if listing.sr_id is None else _widgets(listing.sr_id)
        return (
            f'{{"id":"{listing.listing_id}","name":"{home} - {away}",{widgets}"participants":['
            f'{{"id":"{event.home_number}","name":"{home}","position":1}},'
            f'{{"id":"{event.away_number}","name":"{away}","position":2}}],'
            f'"startTime":"{listing.kickoff:%Y-%m-%dT%H:%M:%SZ}","category":{{"id":"{SPORT_IDS[listing.sport]}",'
            f'"name":"{listing.sport.title()}"}},'
            f'"region":{{"id":"{event.country_number}","name":"{json_text(listing.country)}"}},'
            f'"competition":{{"id":"{event.league_number}","name":"{json_text(listing.tournament)}"}},'
            '"additionalInfo":{"inplayBooked":true,"inplayBookedActual":true},'
            f'"version":"{max(1, priced_at + 100_000)}","markets":[{_UNKNOWN_MARKET}'
        ).encode()

    def family(self, prices: Mapping[MarketKey, MarketPrices], changed_ms: int) -> str:
        """Return a family's markets; the lines of one are its rows."""
        del changed_ms
        odds = self._odds
        texts: list[str] = []
        for group in grouped(prices, self._templates):
            first = group[0][0]
            rows = ",".join([template.body % tuple([odds[price] for price in shown]) for template, shown in group])
            texts += (first.opening, rows, first.closing)
        return "".join(texts)

    def tail(self, keys: Iterable[MarketKey]) -> Iterator[Piece]:
        """Return the end of the body, with counts."""
        markets = {key.market for key in keys}
        counters = f'{{"totalMarketGroupCount":"{len(markets)}","marketGroupCountByTab":{{"all":"{len(markets)}"}}}}'
        yield compressed(f'],"totalMarketCount":"{len(markets) + 30}","marketCounters":{counters}}}'.encode())

    def _template(self, key: MarketKey) -> KeyTemplate:
        market = self.wire.of(key)
        return KeyTemplate(
            group=market.id,
            opening=_opening(market),
            body=_rows(market),
            closing='],"additionalInfo":{"cashoutable":true}}',
            slots=tuple(outcome.slot for outcome in market.outcomes),
        )


def body_formats(catalogue: Catalogue) -> Mapping[str, BetpawaFormat]:
    """Return the formats by sport.

    Raises:
        CatalogueError: a mapping does not fit the catalogue.
    """
    mappings = load_mappings(__package__, catalogue)
    return {sport: BetpawaFormat(catalogue, mapping) for sport, mapping in mappings.items() if sport in SPORT_IDS}


def _widgets(sr_id: int) -> str:
    return (
        f'"widgets":[{{"id":"{sr_id}","type":"SPORTRADAR","retention":"PREMATCH"}},'
        f'{{"id":"{sr_id}","type":"SPORTRADAR","retention":"INPLAY"}}],'
    )


def _opening(market: WireKey) -> str:
    definition = market.market
    handicap = _HANDICAP_TYPES.get(definition.meaning.settles)
    kind = f',"handicapType":"{handicap}"' if handicap and _LINE in market.specifiers else ""
    tabs = ["all", _TABS.get(definition.group, "specials")]
    explainer = f"Pick an outcome of this market: {definition.name.lower()}. Based on regular time with added time."
    text = (
        f',{{"marketType":{{"id":"{market.id}","name":{_text(definition.name)},'
        f'"displayName":{_text(f"{definition.name} | {_half(definition)}")},"explainer":{_text(explainer)},'
        f'"priority":{definition.number},"tabs":{_text(tabs)}{kind}}},"row":['
    )
    return text.replace("%%", "%")


def _half(market: Market) -> str:
    return market.meaning.period.replace("_", " ").title().replace("Match", "Full Time")


def _rows(market: WireKey) -> str:
    """Return a market's row of one line, or the rows in which its selections are displayed."""
    prices = [_price(market, outcome) for outcome in market.outcomes]
    line = market.specifiers.get(_LINE)
    if line is not None:
        return _line_row(market, line, prices)
    in_row = len(prices) if len(prices) <= _ONE_ROW else _PRICES_IN_A_ROW
    rows = (prices[start : start + in_row] for start in range(0, len(prices), in_row))
    return ",".join(f'{{"prices":[{",".join(row)}]}}' for row in rows)


def _line_row(market: WireKey, line: str, prices: Sequence[str]) -> str:
    """Return a row; one whose line is 0 states it in the specifier alone, as a protobuf mapping leaves out 0."""
    quarters = int(Decimal(line) * _QUARTERS)
    handicap = f'"handicap":{quarters},' if quarters else ""
    name = "total" if market.market.meaning.settles == "total" else "hcp"
    return (
        f'{{"id":"39{EVENT_MARK}{quarters}",{handicap}"prices":[{",".join(prices)}],"specifier":{{"{name}":"{line}"}}}}'
    )


def _price(market: WireKey, outcome: WireOutcome) -> str:
    line = market.specifiers.get(_LINE)
    handicap = "" if line is None else f'"handicap":{_text(_side_line(market, outcome, line))},'
    return (
        f'{{"id":"15{EVENT_MARK}{market.market.number}{outcome.slot}","name":{_text(outcome.label)},'
        f'"typeId":"{outcome.id}",%s,{handicap}"displayName":{_text(outcome.label)},'
        '"additionalInfo":{"anyUp":"NO_UP"}}'
    )


def _side_line(market: WireKey, outcome: WireOutcome, line: str) -> str:
    """Return a line as the price states it: a handicap from its own side."""
    settles = market.market.meaning.settles
    if settles not in ("handicap", "european_handicap"):
        return line
    value = -Decimal(line) if outcome.label == "Away" else Decimal(line)
    if settles == "handicap":
        return f"{value:+}"
    return f"Away {value:+}" if outcome.label == "Away" else f"Home {value:+}"


def _text(value: object) -> str:
    return template_text(value)


def _odds(price: int) -> str:
    """Return a selection's odds, and that it is suspended; without a price its odds are 0."""
    shown = price_text(price) if abs(price) > THOUSANDTHS else "0.0"
    suspended = "" if price > 0 else ',"suspended":true'
    return f'"odds":{shown}{suspended},"probability":{{"win":{950 / max(abs(price), 1010):.6f},"refund":0.0}}'


def _respelled(market: Market, wire: WireMarket) -> WireMarket | None:
    """Return a market unless it needs more than a row's line to be told."""
    del market
    if not wire.specifiers:
        return wire
    if wire.specifiers.keys() != {_LINE} or (Decimal(wire.specifiers[_LINE]) * _QUARTERS) % 1:
        return None
    return wire
