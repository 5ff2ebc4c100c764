"""BetPawa's single-event answer (`events/{id}`), API versions 3 and 4: the fields we need, and nothing else.

Version 4 is a protobuf mapping: it leaves out nulls, false and empty lists, and calls a price `odds`
where version 3 has `price`. What both leave out has a default here.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from overround.bookmakers.kit.decoding import MALFORMED, Tally, decode_json, decode_or_none, number_text
from overround.bookmakers.kit.refusals import AnswerMeaning, error_for, meaning_of
from overround.errors import FetchError, MalformedError

SLUG: Final = "betpawa"
SPORTRADAR: Final = "SPORTRADAR"
HOME: Final = 1
AWAY: Final = 2
_NOT_FOUND: Final = "NOT_FOUND"
_MEANINGS: Final[Mapping[str, AnswerMeaning]] = MappingProxyType(
    {_NOT_FOUND: AnswerMeaning.GONE, "404": AnswerMeaning.GONE}
)
_WORDS: Final = re.compile(r"\w+")
_LONGEST_ERROR: Final = 16_384  # bytes; a body with more is an event or a list
_NULL: Final = msgspec.Raw(b"null")
_ABSENT: Final = msgspec.Raw(b"")

P = TypeVar("P")


class Wire(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Base of the wire structs: camel case on the wire, and no cycles for the collector to look for."""


class Price(Wire, frozen=True):
    """One selection as version 4 has it; `odds` keeps the number's text, since a float would not be exact."""

    type_id: str
    odds: msgspec.Raw
    suspended: bool | None = False
    handicap: str | None = None
    name: str | None = ""


class PriceV3(Price, frozen=True):
    """One selection as version 3 has it."""

    odds: msgspec.Raw = msgspec.field(name="price")


class RowHeader(Wire, frozen=True):
    """A row save its prices; `handicap` is the line times four."""

    handicap: int | None = None
    specifier: msgspec.Raw = msgspec.Raw(b"null")


class Row(RowHeader, Generic[P], frozen=True):
    """A line of a market, or just a line of its display."""

    prices: list[P] | None = None


class MarketType(Wire, frozen=True):
    """What a market is; ids are the same in both versions."""

    id: str
    name: str | None = ""


class Market(Wire, Generic[P], frozen=True):
    """A market with all its lines."""

    market_type: MarketType
    row: list[P] | None = None
    suspended: bool | None = False


class Named(Wire, frozen=True):
    """A country or a league."""

    name: str | None = ""


class Category(Wire, frozen=True):
    """A sport."""

    id: str
    name: str | None = ""


class Widget(Wire, frozen=True):
    """The event's number at a data provider."""

    id: str | None = ""
    type: str | None = ""


class Participant(Wire, frozen=True):
    """A team; position 1 is the home side, 2 the away side."""

    name: str | None
    position: int


class AdditionalInfo(Wire, frozen=True):
    """Flags of an event."""

    # Inferred, as the same flag on a market and on the event itself: captures show `suspended` on prices alone.

    live: bool | None = False
    suspended: bool | None = False


class EventHeader(Wire, frozen=True):
    """An event save its markets."""

    id: str
    start_time: Annotated[datetime, msgspec.Meta(tz=True)]
    participants: list[Participant]
    category: Category
    region: Named | None = None
    competition: Named | None = None
    widgets: list[Widget] | None = None
    additional_info: AdditionalInfo | None = None
    suspended: bool | None = False


class Event(EventHeader, Generic[P], frozen=True):
    """An event; no `markets` means that the body does not say what is offered."""

    markets: list[P] | None = None


class _Loose(Wire, frozen=True):
    market_type: MarketType
    row: list[msgspec.Raw] | None = None
    suspended: bool | None = False


class _LooseRow(RowHeader, frozen=True):
    prices: list[msgspec.Raw] | None = None


class RowSpecifier(Wire, frozen=True):
    """A row's line in real units, in version 4."""

    hcp: str | None = None
    total: str | None = None


class _LoosePrice(Wire, frozen=True):
    type_id: str
    odds: msgspec.Raw = _ABSENT
    price: msgspec.Raw = _ABSENT
    suspended: bool | None = False
    handicap: msgspec.Raw = _NULL
    name: msgspec.Raw = _NULL


class _Head(Wire, frozen=True):
    id: msgspec.Raw = _ABSENT
    with_regions: msgspec.Raw = _ABSENT
    responses: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    code: msgspec.Raw = _ABSENT


AnyMarket = Market[Row[Price]]
AnyEvent = Event[AnyMarket]


class Version:
    """The decoders of one API version."""

    def __init__(self, price: type[Price]) -> None:
        self.event: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(Event[Market[Row[price]]])  # type: ignore[valid-type]
        self.market: msgspec.json.Decoder[AnyMarket] = msgspec.json.Decoder(Market[Row[price]])  # type: ignore[valid-type]
        self.row: msgspec.json.Decoder[Row[Price]] = msgspec.json.Decoder(Row[price])  # type: ignore[valid-type]
        self.price: msgspec.json.Decoder[Price] = msgspec.json.Decoder(price)


V3 = Version(PriceV3)
V4 = Version(Price)
ROW_SPECIFIER = msgspec.json.Decoder(RowSpecifier | None)
_LOOSE_EVENT = msgspec.json.Decoder(Event[msgspec.Raw])
_LOOSE_MARKET = msgspec.json.Decoder(_Loose)
_LOOSE_ROW = msgspec.json.Decoder(_LooseRow, strict=False)
_LOOSE_PRICE = msgspec.json.Decoder(_LoosePrice, strict=False)
_HEAD = msgspec.json.Decoder(_Head)


def refusal_of(body: bytes, subject: str) -> FetchError | None:
    """Return the error that an answer states, None where it states none: errors are small, and hold nothing else."""
    head = decode_or_none(_HEAD, body) if len(body) <= _LONGEST_ERROR else None
    if head is None or any(map(bytes, (head.id, head.with_regions, head.responses))):
        return None
    stated = [bytes(part).decode("utf-8", "replace") for part in (head.code, head.error, head.message)]
    if not any(stated):
        return None
    text = " ".join(part.strip('"') for part in stated if part)
    code = next((word for word in _WORDS.findall(text.upper()) if word in _MEANINGS), text)
    return error_for(meaning_of(code, text, _MEANINGS), SLUG, subject, text)


def version_of(body: bytes) -> Version:
    """Return the decoders for a body, by the name it uses for a price."""
    return V4 if b'"odds"' in body else V3


def decode_event(body: bytes, tally: Tally) -> AnyEvent:
    """Decode a single-event body of either version; damaged parts are counted, and lose only themselves.

    Raises:
        GoneError, RefusedError, TransientFetchError: the body states an error; see `refusal_of`.
        BlockedError: it is not JSON.
        MalformedError: it is not an event.
    """
    version = version_of(body)
    try:
        return decode_json(version.event, body, SLUG, "event")
    except MalformedError as error:
        refusal = refusal_of(body, "event")
        if refusal is not None:
            raise refusal from None
        found = decode_or_none(_HEAD, body)
        subject = (number_text(found.id) if found else "") or "event"
        event = _salvaged(decode_json(_LOOSE_EVENT, body, SLUG, subject), version, tally)
        if not any(_price_ids(event)):
            raise error from None  # nothing could be read: that is another format, not a damaged part
        return event


def _salvaged(event: Event[msgspec.Raw], version: Version, tally: Tally) -> AnyEvent:
    markets = [_salvaged_market(place, raw, version, tally) for place, raw in enumerate(event.markets or [])]
    fields = {name: getattr(event, name) for name in EventHeader.__struct_fields__}
    kept = [market for market in markets if market]
    return Event(**fields, markets=None if event.markets is None else kept)


def _salvaged_market(place: int, raw: msgspec.Raw, version: Version, tally: Tally) -> AnyMarket | None:
    market = decode_or_none(version.market, raw)
    if market:
        return market
    loose = decode_or_none(_LOOSE_MARKET, raw)
    if loose is None:
        tally.drop("malformed_market", f"markets[{place}]")
        return None
    rows = [_salvaged_row(loose.market_type.id, row, version, tally) for row in loose.row or ()]
    return Market(market_type=loose.market_type, row=[row for row in rows if row], suspended=loose.suspended)


def _salvaged_row(type_id: str, raw: msgspec.Raw, version: Version, tally: Tally) -> Row[Price] | None:
    row = decode_or_none(version.row, raw)
    if row:
        return row
    loose = decode_or_none(_LOOSE_ROW, raw)
    if loose is None:
        tally.drop("malformed_row", type_id)
        return None
    prices = [_salvaged_price(price) for price in loose.prices or ()]
    return Row(handicap=loose.handicap, specifier=loose.specifier, prices=prices)


def _salvaged_price(raw: msgspec.Raw) -> Price:
    """Return a selection of which only the id need be right; whoever reads its odds sees whether they are a price."""
    loose = decode_or_none(_LOOSE_PRICE, raw)
    odds = _ABSENT if loose is None else loose.odds if bytes(loose.odds) else loose.price
    if loose is None or not bytes(odds):
        return Price(type_id=MALFORMED, odds=_NULL)
    texts = {"handicap": number_text(loose.handicap), "name": number_text(loose.name)}
    return Price(type_id=loose.type_id, odds=odds, suspended=loose.suspended, **texts)


def _price_ids(event: AnyEvent) -> Iterator[str]:
    for market in event.markets or ():
        for row in market.row or ():
            yield from (price.type_id for price in row.prices or ())
