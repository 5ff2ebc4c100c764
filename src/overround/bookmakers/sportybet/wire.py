"""SportyBet's single-event answer (`factsCenter/event`): the fields we need, and nothing else.

Everything else in a body is skipped without being built. Fields that the site leaves out at times
have defaults; a body that lacks another one is not of this shape.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from overround.bookmakers.kit.decoding import MALFORMED, Tally, decode_json, decode_or_none, number_text
from overround.bookmakers.kit.refusals import AnswerMeaning, error_for, meaning_of
from overround.errors import FetchError, MalformedError

SLUG: Final = "sportybet"
OK: Final = 10_000
NOT_STARTED: Final = 0
OPEN: Final = 0
ACTIVE: Final = 1
PREMATCH: Final = 3

_INVALID: Final = 19_000
_SYSTEM_BUSY: Final = 19_999
_MEANINGS: Final[Mapping[int, AnswerMeaning]] = MappingProxyType(
    {_INVALID: AnswerMeaning.REFUSED, _SYSTEM_BUSY: AnswerMeaning.BUSY}
)
# Asked for an event by its id, "Invalid" is about that id: the site has forgotten it.
_EVENT_MEANINGS: Final[Mapping[int, AnswerMeaning]] = MappingProxyType({**_MEANINGS, _INVALID: AnswerMeaning.GONE})
_SUCCESSFUL: Final = b'{"bizCode":10000,'
_START: Final = 32  # bytes, which hold the code of nearly every answer

E = TypeVar("E")


class Wire(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Base of the wire structs: camel case on the wire, and no cycles for the collector to look for."""


class Outcome(Wire, frozen=True):
    """One selection; `odds` is decimal text, and inactive selections carry stale or meaningless odds."""

    id: str
    odds: str
    is_active: int = 0
    desc: str | None = ""


class _LooseOutcome(Wire, frozen=True):
    id: str
    odds: msgspec.Raw
    is_active: int = 0
    desc: str | None = ""


class MarketHeader(Wire, frozen=True):
    """A market with one line, or without a line, save its outcomes."""

    id: str
    status: int
    specifier: str | None = ""
    product: int = PREMATCH
    name: str | None = ""
    desc: str | None = ""
    banned: bool | None = False


class Market(MarketHeader, frozen=True):
    """A market with one line, or without a line."""

    outcomes: list[Outcome] | None = None


class LooseMarket(MarketHeader, frozen=True):
    """A market whose outcomes are not looked at yet."""

    outcomes: list[msgspec.Raw] | None = None


class Tournament(Wire, frozen=True):
    """A league."""

    name: str | None = ""


class Category(Wire, frozen=True):
    """A country, and the league in it."""

    name: str | None = ""
    tournament: Tournament | None = None


class Sport(Wire, frozen=True):
    """A sport, and the country in it."""

    id: str
    name: str | None = ""
    category: Category | None = None


class EventHeader(Wire, frozen=True):
    """An event save its markets; `estimate_start_time` is in milliseconds since 1970, UTC."""

    event_id: str
    estimate_start_time: int
    status: int
    home_team_name: str
    away_team_name: str
    sport: Sport
    banned: bool | None = False


class Event(EventHeader, frozen=True):
    """An event with all its markets."""

    markets: list[Market] | None = None


class LooseEvent(EventHeader, frozen=True):
    """An event whose markets are not looked at yet."""

    markets: list[msgspec.Raw] | None = None


class Envelope(Wire, frozen=True):
    """What every answer begins with."""

    biz_code: int
    message: str | None = ""


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
_ENVELOPE = msgspec.json.Decoder(Envelope, strict=False)
_ID_ANSWER = msgspec.json.Decoder(_IdAnswer)
_MARKET = msgspec.json.Decoder(Market)
_LOOSE_MARKET = msgspec.json.Decoder(LooseMarket, strict=False)
_OUTCOME = msgspec.json.Decoder(Outcome)
_LOOSE_OUTCOME = msgspec.json.Decoder(_LooseOutcome, strict=False)


def decode_event(body: bytes, tally: Tally) -> Event:
    """Decode a single-event body; damaged markets and outcomes are counted, and lose only themselves.

    Raises:
        GoneError, RefusedError, TransientFetchError: the answer states an error; see `refusal_of`.
        BlockedError: the body is not JSON.
        MalformedError: it is not an answer with an event.
    """
    try:
        answer: Answer = decode_json(ANSWER, body, SLUG, "event")
    except MalformedError as error:
        _refuse_error(decode_or_none(_ENVELOPE, body))
        event = _salvaged(_present(decode_json(_LOOSE_ANSWER, body, SLUG, _subject(body)).data), tally)
        if not any(outcome.id for market in event.markets or () for outcome in market.outcomes or ()):
            raise error from None  # nothing could be read: that is another format, not a damaged part
        return event
    _refuse_error(answer)
    return _present(answer.data)


def refusal_of(body: bytes, subject: str, *, of_event: bool = False) -> FetchError | None:
    """Return the error that an answer states, None where it states none; `of_event`: one event was asked for by id."""
    if body[:_START].replace(b" ", b"").startswith(_SUCCESSFUL):
        return None
    return _refusal(decode_or_none(_ENVELOPE, body), subject, of_event=of_event)


def _refusal(envelope: Envelope | None, subject: str, *, of_event: bool) -> FetchError | None:
    if envelope is None or envelope.biz_code == OK:
        return None
    message = envelope.message or ""
    meaning = meaning_of(envelope.biz_code, message, _EVENT_MEANINGS if of_event else _MEANINGS)
    return error_for(meaning, SLUG, subject, f"bizCode {envelope.biz_code} {message}")


def _refuse_error(envelope: Envelope | None) -> None:
    refusal = _refusal(envelope, "event", of_event=True)
    if refusal is not None:
        raise refusal


def _present(event: E | None) -> E:
    if event is None:
        raise MalformedError(SLUG, "event", "there is no event", "data")
    return event


def _subject(body: bytes) -> str:
    answer = decode_or_none(_ID_ANSWER, body)
    return (answer.data.event_id if answer else "") or "event"


def _salvaged(event: LooseEvent, tally: Tally) -> Event:
    markets = [_salvaged_market(place, raw, tally) for place, raw in enumerate(event.markets or ())]
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
    outcomes = [_salvaged_outcome(outcome) for outcome in loose.outcomes or ()]
    fields = {name: getattr(loose, name) for name in MarketHeader.__struct_fields__}
    return Market(**fields, outcomes=outcomes)


def _salvaged_outcome(raw: msgspec.Raw) -> Outcome:
    """Return an outcome whose odds may be a number instead of a text; odds that are neither are ""."""
    loose = decode_or_none(_LOOSE_OUTCOME, raw)
    if loose is None:
        return Outcome(id=MALFORMED, odds="")
    return Outcome(id=loose.id, odds=number_text(loose.odds), is_active=loose.is_active, desc=loose.desc)
