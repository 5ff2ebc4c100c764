"""Single-event bodies in Bet9ja's format, from the market model."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from overround.bookmakers.bet9ja.listing_wire import SPORT_IDS
from overround.bookmakers.kit.decoding import PRICES_KEPT
from overround.bookmakers.kit.rendering import KeyTemplate, WireKey, WireMarkets, grouped, json_text, template_text
from overround.bookmakers.kit.simulation import Profile, SimulatedEvent, Size, World
from overround.bookmakers.mapping.bookmaker_mapping import Entry, MarketMapping, Memo, load_mappings
from overround.bookmakers.mapping.wire_forms import WireMarket
from overround.catalogue import Catalogue, Market
from overround.gzip_pieces import Piece, compressed
from overround.records.odds import MarketKey, MarketPrices, price_text

PROFILE: Final = Profile(
    id_prefix="",
    id_offset=700_000_000,
    markets={Size.AUDIT: 156, Size.CAPTURED: 221},
    other_sports={"basketball": 141, "tennis": 42},
    counts_lines=True,
    margin=0.080,
    ladder=((3_000, 10), (20_000, 50), (50_000, 500), (200_000, 1_000)),
    lag=2,
    liveliness=1.0,
    disappearances=1.5,
    shows_suspended=False,
    refuses_certainties=True,
    flips=True,
    gaps=0.06,
    unnumbered=0.006,
    own_spellings=0.10,
    latency_ms=(596, 841),
)

_TEMPLATES_KEPT: Final = 20_000
_LINE: Final = "line"
_CATEGORIES: Final = {
    "main": "POPULAR",
    "goals": "GOAL",
    "halves": "HT",
    "combos": "COMBINED",
    "corners": "CORNER",
    "cards": "BOOKINGS",
}
_CATEGORY_LIST: Final = tuple(
    {"CODE": str(code), "VALUE": value} for code, value in enumerate((*_CATEGORIES.values(), "OTHER"), 100)
)
# A market that no mapping knows, as every real body has some; its place before the others saves them a comma.
_UNKNOWN_KEY: Final = '"S_LUCKYMINUTES_Y":"1.9"'
_UNKNOWN_MARKET: Final = '{"ID":"S_LUCKYMINUTES","DS":"Lucky Minutes ","SGN":["Yes"],"SGNK":["Y"]}'


class _Label(msgspec.Struct, frozen=True, rename="upper"):
    """One entry of `MK`, without the selections."""

    id: str
    ds: str
    mdesc: str
    p: str
    vw: str
    gcat: str
    marketid: str
    m_payout: str
    cnt: str
    cntlabel: str
    sgn: tuple[str, ...]
    sgnk: tuple[str, ...]


class Bet9jaFormat:
    """Implements `BodyFormat`, and has the mapping read backwards."""

    def __init__(self, catalogue: Catalogue, mapping: MarketMapping) -> None:
        """Read a sport's mapping backwards."""
        self.wire = WireMarkets(catalogue, mapping, _respelled)
        self._templates = Memo(self._template, _TEMPLATES_KEPT)
        self._labels = Memo(self._label, _TEMPLATES_KEPT)
        self._odds = Memo(_odds, PRICES_KEPT)
        self._end = compressed(_translations(catalogue, mapping).encode())

    def head(self, event: SimulatedEvent, world: World, priced_at: int) -> bytes:
        """Return the envelope and the event, up to the first price."""
        del world, priced_at
        listing = event.listing
        start = f"{listing.kickoff:%Y-%m-%d %H:%M:%S}"
        number = "" if listing.sr_id is None else str(listing.sr_id)
        return (
            f'{{"R":"OK","D":{{"INCTYPE":0,"ST":1,"GID":{event.league_number},"C":"{int(listing.listing_id) % 9000}",'
            f'"STARTDATE":"{start}","SGID":{event.country_number},"EXTID":"{number}",'
            f'"DS":"{json_text(listing.home)} - {json_text(listing.away)}","SID":{SPORT_IDS[listing.sport]},'
            f'"P":0,"PRV":1,"IS_BOOSTED":false,'
            f'"IS_BETBUILDER":true,"ENDVISIBILITYDATE":"{start}","ID":{listing.listing_id},"PL":0,"TYPE":0,'
            f'"ISSTREAMINGVIDEO":false,"GN":"{json_text(listing.tournament)}","GP":99,'
            f'"SG":"{json_text(listing.country)}","S":"{sport_name(listing.sport)}","EXCLUDED_BONUS":[],"BOOSTED_ODDS":[],'
            f'"BOOSTED_MARKETS":[],"O":{{{_UNKNOWN_KEY}'
        ).encode()

    def family(self, prices: Mapping[MarketKey, MarketPrices], changed_ms: int) -> str:
        """Return a family's odds keys."""
        del changed_ms
        odds = self._odds
        return "".join(
            [
                template.body % tuple([odds[price] for price in shown])
                for group in grouped(prices, self._templates)
                for template, shown in group
            ]
        )

    def tail(self, keys: Iterable[MarketKey]) -> Iterator[Piece]:
        """Return the lines and the labels of the markets on offer, and the labels of all there are."""
        labels: dict[str, str] = {}
        lines: dict[str, set[str]] = {}
        for key in keys:
            market = self.wire.of(key)
            labels.setdefault(market.id, self._labels[key])
            if market.specifiers:
                lines.setdefault(market.id, set()).add(market.specifiers[_LINE])
        aux = ",".join(f'"{wire_id}":{{{_numbers(found)}}}' for wire_id, found in lines.items())
        markets = ",".join((_UNKNOWN_MARKET, *labels.values()))
        yield compressed(f'}},"AUX":{{{aux}}},"MK":[{markets}],"MKNUM":{len(labels) + 1},'.encode())
        yield self._end

    def _template(self, key: MarketKey) -> KeyTemplate:
        market = self.wire.of(key)
        line = market.specifiers.get(_LINE)
        base = market.id if line is None else f"{market.id}@{line}"
        keys = (template_text(f"{base}_{outcome.id}") for outcome in market.outcomes)
        return KeyTemplate(
            group=base,
            opening="",
            body="".join(f',{key}:"%s"' for key in keys),
            closing="",
            slots=tuple(outcome.slot for outcome in market.outcomes),
        )

    def _label(self, key: MarketKey) -> str:
        return msgspec.json.encode(_labelled(self.wire.of(key))).decode()


def body_formats(catalogue: Catalogue) -> Mapping[str, Bet9jaFormat]:
    """Return the formats by sport.

    Raises:
        CatalogueError: a mapping does not fit the catalogue.
    """
    mappings = load_mappings(__package__, catalogue)
    return {sport: Bet9jaFormat(catalogue, mapping) for sport, mapping in mappings.items() if sport in SPORT_IDS}


def sport_name(sport: str) -> str:
    """Return a sport as the site names it."""
    return "Soccer" if sport == "football" else sport.title()


def _labelled(market: WireKey) -> _Label:
    definition = market.market
    return _Label(
        id=market.id,
        ds=definition.name,
        mdesc=_description(definition),
        p=str(definition.number),
        vw="3" if market.specifiers else "0",
        gcat=_CATEGORIES.get(definition.group, "OTHER"),
        marketid=str(10_000 + definition.number),
        m_payout="120",
        cnt="GR",
        cntlabel="Generic Result",
        sgn=tuple(outcome.label for outcome in market.outcomes),
        sgnk=tuple(outcome.id for outcome in market.outcomes),
    )


def _description(market: Market) -> str:
    return f"Tell how this market ends: {market.name.lower()}. It is settled on the regular time with its added time."


def _numbers(lines: Iterable[str]) -> str:
    return ",".join(f'"{line}":{line}' for line in sorted(lines))


def _translations(catalogue: Catalogue, mapping: Iterable[Entry]) -> str:
    """Return the end of the body: categories, and the labels of every market there is, on offer or not."""
    labels: dict[str, object] = {}
    for entry in mapping:
        market = catalogue.market(entry.market)
        labels[f"M#{entry.id}"] = {"NAME": market.name, "DESC": _description(market)}
        for wire, outcome in entry.outcomes.items():
            name = outcome.replace("_", " ").capitalize()
            labels[f"M#{entry.id}_{wire}"] = name
            labels[f"MCU#{entry.id}_{wire}"] = f"{name} ({{HNDS}})" if entry.specifiers else name
    categories = msgspec.json.encode(_CATEGORY_LIST).decode()
    return f'"CATMARKET":{categories},"TRANS":{msgspec.json.encode(labels).decode()}}}}}'


def _odds(price: int) -> str:
    """Return odds in their shortest form; 1 is what cannot be bet on."""
    if price <= 0:
        return "1"
    return price_text(price).rstrip("0").rstrip(".")


def _respelled(market: Market, wire: WireMarket) -> WireMarket | None:
    """Return a market unless it needs more than a line to be told."""
    del market
    return wire if wire.specifiers.keys() <= {_LINE} else None
