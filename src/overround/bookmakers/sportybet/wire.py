"""SportyBet's single-event answer (`factsCenter/event`): the fields we need, and nothing else.

Everything else in a body is skipped without being built. Fields that the site leaves out at times
have defaults; a body that lacks another one is not of this shape.
"""

from typing import Final, TypeVar

import msgspec

from overround.bookmakers.kit.decoding import MALFORMED, Tally, decode_json, decode_or_none
from overround.errors import GoneError, MalformedError

SLUG: Final = "sportybet"
OK: Final = 10_000
NOT_STARTED: Final = 0
OPEN: Final = 0
ACTIVE: Final = 1
PREMATCH: Final = 3

E = TypeVar("E")


class Wire(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Base of the wire structs: camel case on the wire, and no cycles for the collector to look for."""


class Outcome(Wire, frozen=True):
    """One selection; `odds` is decimal text, and inactive selections carry stale or meaningless odds."""

    id: str
    odds: str
    is_active: int = 0
    desc: str = ""


class MarketHeader(Wire, frozen=True):
    """A market with one line, or without a line, save its outcomes."""

    id: str
    status: int
    specifier: str = ""
    product: int = PREMATCH
    name: str = ""
    desc: str = ""
    banned: bool = False


class Market(MarketHeader, frozen=True):
    """A market with one line, or without a line."""

    outcomes: list[Outcome] = []


class LooseMarket(MarketHeader, frozen=True):
    """A market whose outcomes are not looked at yet."""

    outcomes: list[msgspec.Raw] = []


class Tournament(Wire, frozen=True):
    """A league."""

    name: str = ""


class Category(Wire, frozen=True):
    """A country, and the league in it."""

    name: str = ""
    tournament: Tournament = Tournament()


class Sport(Wire, frozen=True):
    """A sport, and the country in it."""

    id: str
    name: str = ""
    category: Category = Category()


class EventHeader(Wire, frozen=True):
    """An event save its markets; `estimate_start_time` is in milliseconds since 1970, UTC."""

    event_id: str
    estimate_start_time: int
    status: int
    home_team_name: str
    away_team_name: str
    sport: Sport
    banned: bool = False


class Event(EventHeader, frozen=True):
    """An event with all its markets."""

    markets: list[Market] = []


class LooseEvent(EventHeader, frozen=True):
    """An event whose markets are not looked at yet."""

    markets: list[msgspec.Raw] = []


class Envelope(Wire, frozen=True):
    """What every answer begins with."""

    biz_code: int
    message: str = ""


class Answer(Envelope, frozen=True):
    """An answer that holds an event."""

    data: Event | None = None


class LooseAnswer(Envelope, frozen=True):
    """An answer that holds an event some part of which is damaged."""

    data: LooseEvent | None = None


class _IdOnly(Wire, frozen=True):
    event_id: str = ""


class _IdAnswer(Wire, frozen=True):
    data: _IdOnly = _IdOnly()


ANSWER = msgspec.json.Decoder(Answer)
_LOOSE_ANSWER = msgspec.json.Decoder(LooseAnswer)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_ID_ANSWER = msgspec.json.Decoder(_IdAnswer)
_MARKET = msgspec.json.Decoder(Market)
_LOOSE_MARKET = msgspec.json.Decoder(LooseMarket)
_OUTCOME = msgspec.json.Decoder(Outcome)


def decode_event(body: bytes, tally: Tally) -> Event:
    """Decode a single-event body; damaged markets and outcomes are counted, and lose only themselves.

    Raises:
        GoneError: the answer is the bookmaker's "no such event".
        BlockedError: the body is not JSON.
        MalformedError: it is not an answer with an event.
    """
    try:
        answer: Answer = decode_json(ANSWER, body, SLUG, "event")
    except MalformedError as error:
        _refuse_error(decode_or_none(_ENVELOPE, body))
        event = _salvaged(_present(decode_json(_LOOSE_ANSWER, body, SLUG, _subject(body)).data), tally)
        if not any(outcome.id for market in event.markets for outcome in market.outcomes):
            raise error from None  # nothing could be read: that is another format, not a damaged part
        return event
    _refuse_error(answer)
    return _present(answer.data)


def _refuse_error(envelope: Envelope | None) -> None:
    if envelope is not None and envelope.biz_code != OK:
        reason = f"bizCode {envelope.biz_code} {envelope.message}"
        raise GoneError(SLUG, "event", reason.strip())


def _present(event: E | None) -> E:
    if event is None:
        raise MalformedError(SLUG, "event", "there is no event", "data")
    return event


def _subject(body: bytes) -> str:
    answer = decode_or_none(_ID_ANSWER, body)
    return (answer.data.event_id if answer else "") or "event"


def _salvaged(event: LooseEvent, tally: Tally) -> Event:
    markets = [_salvaged_market(place, raw, tally) for place, raw in enumerate(event.markets)]
    fields = {name: getattr(event, name) for name in EventHeader.__struct_fields__}
    return Event(**fields, markets=[market for market in markets if market])


def _salvaged_market(place: int, raw: msgspec.Raw, tally: Tally) -> Market | None:
    market = decode_or_none(_MARKET, raw)
    if market:
        return market
    loose = decode_or_none(_LOOSE_MARKET, raw)
    if loose is None:
        tally.drop("malformed_market", f"data.markets[{place}]")
        return None
    outcomes = [decode_or_none(_OUTCOME, outcome) or Outcome(id=MALFORMED, odds="") for outcome in loose.outcomes]
    fields = {name: getattr(loose, name) for name in MarketHeader.__struct_fields__}
    return Market(**fields, outcomes=outcomes)
