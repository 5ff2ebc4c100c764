"""Bet9ja's single-event answers (`GetEvent`, `GetLiveEvent`): the fields we need, and nothing else.

`TRANS`, half of a body, holds labels of every market there is, and `MK` those of the markets on offer;
neither is decoded unless a market's name is asked for.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from overround.bookmakers.kit.decoding import decode_json, decode_or_none, number_text
from overround.bookmakers.kit.refusals import AnswerMeaning, error_for, meaning_of_text
from overround.errors import FetchError, GoneError, MalformedError
from overround.texts import plain_text

SLUG: Final = "bet9ja"
OPEN: Final = 1
MALFORMED_PRICE: Final = "?"
_SUCCESS: Final = frozenset(("OK", "D"))
_SUCCESSFUL: Final = b'{"R":"OK",'
_START: Final = 24  # bytes, which hold the code of nearly every answer
# Codes without words; with words, as "E" with "Too many requests", the words say what is meant.
_MEANINGS: Final[Mapping[str, AnswerMeaning]] = MappingProxyType({"E": AnswerMeaning.GONE})


class Wire(msgspec.Struct, frozen=True, gc=False):
    """Base of the wire structs: no cycles for the collector to look for."""


class LivePrice(Wire, frozen=True):
    """A price in a live body, `{"v": 1.85}`; the number's text is kept, since a float would not be exact."""

    v: msgspec.Raw = msgspec.Raw(b"")


class Header(Wire, rename="upper", frozen=True):
    """An event save its odds; `startdate` is UTC without saying so."""

    id: int
    ds: str
    startdate: datetime
    sid: int
    extid: str | int | None = None
    s: str | None = ""
    sg: str | None = ""
    gn: str | None = ""
    st: int = OPEN


Odds = dict[str, str]
# PHP writes an object without entries as an empty list.
EmptyObject = Annotated[list[msgspec.Raw], msgspec.Meta(max_length=0)]


class Event(Header, rename="upper", frozen=True):
    """An event before kick-off; no `O` means that the body does not say what is offered."""

    o: Odds | EmptyObject | None = None


class LiveEvent(Wire, rename="upper", frozen=True):
    """An event in play."""

    aa: Header
    o: dict[str, LivePrice] | EmptyObject | None = None


class LooseEvent(Header, rename="upper", frozen=True):
    """An event whose odds are not looked at yet."""

    o: dict[str, msgspec.Raw] | EmptyObject | None = None


class Envelope(Wire, rename="upper", frozen=True):
    """What every answer begins with."""

    r: str
    d: msgspec.Raw = msgspec.Raw(b"")


class Answer(Wire, rename="upper", frozen=True):
    """An answer that holds an event."""

    r: str
    d: Event


class Label(Wire, rename="upper", frozen=True):
    """The name of a market."""

    id: str
    ds: str | None = ""


class _Labels(Wire, rename="upper", frozen=True):
    mk: list[Label] | None = None


class _LabelsAnswer(Wire, rename="upper", frozen=True):
    d: _Labels


ANSWER = msgspec.json.Decoder(Answer)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_LIVE_EVENT = msgspec.json.Decoder(LiveEvent)
_LOOSE_EVENT = msgspec.json.Decoder(LooseEvent)
_LABELS = msgspec.json.Decoder(_LabelsAnswer)
_TEXT = msgspec.json.Decoder(str)


def decode_event(body: bytes) -> tuple[Event, bool]:
    """Decode a single-event body, and tell whether it is of an event before kick-off.

    Raises:
        GoneError, RefusedError, TransientFetchError: the answer states an error (see `refusal_of`), or that the
            event has ended.
        BlockedError: the body is not JSON.
        MalformedError: it is not an answer with an event.
    """
    try:
        answer = decode_json(ANSWER, body, SLUG, "event")
    except MalformedError as error:
        return _unusual(decode_json(_ENVELOPE, body, SLUG, "event"), error)
    if answer.r not in _SUCCESS:
        raise _refusal(answer.r, b"", str(answer.d.id))
    return answer.d, True


def labels(body: bytes) -> dict[str, str]:
    """Return the names of the markets on offer by id; none where the body has none, or other ones."""
    answer = decode_or_none(_LABELS, body)
    return {label.id: plain_text(label.ds) for label in answer.d.mk or ()} if answer else {}


def refusal_of(body: bytes, subject: str) -> FetchError | None:
    """Return the error that an answer states, None where it states none."""
    if body[:_START].replace(b" ", b"").startswith(_SUCCESSFUL):
        return None
    envelope = decode_or_none(_ENVELOPE, body)
    if envelope is None or envelope.r in _SUCCESS:
        return None
    return _refusal(envelope.r, bytes(envelope.d), subject)


def _refusal(code: str, payload: bytes, subject: str) -> FetchError:
    """Return what a code means, with the words that may stand in place of the data."""
    text = plain_text(decode_or_none(_TEXT, payload))
    meaning = meaning_of_text(text) if text else _MEANINGS.get(code)
    return error_for(meaning or AnswerMeaning.REFUSED, SLUG, subject, f'R is "{code[:40]}" {text}')


def _text(price: LivePrice) -> str:
    try:
        return bytes(price.v).decode() or MALFORMED_PRICE
    except UnicodeDecodeError:
        return MALFORMED_PRICE


def _odds_text(raw: msgspec.Raw) -> str:
    """Return odds that may be a number instead of a text."""
    text = decode_or_none(_TEXT, raw)
    return number_text(raw) or MALFORMED_PRICE if text is None else text


def _unusual(answer: Envelope, error: MalformedError) -> tuple[Event, bool]:
    """Return what an answer holds that is not plainly an event before kick-off."""
    payload = bytes(answer.d)
    if answer.r not in _SUCCESS:
        raise _refusal(answer.r, payload, "event") from error
    if payload == b"false":
        raise GoneError(SLUG, "event", "D is false: the event has ended") from error
    live = decode_or_none(_LIVE_EVENT, payload)
    if live:
        fields = {name: getattr(live.aa, name) for name in Header.__struct_fields__}
        live_odds = live.o if isinstance(live.o, dict) else {}
        return Event(**fields, o={key: _text(price) for key, price in live_odds.items()}), False
    loose = decode_or_none(_LOOSE_EVENT, payload)
    if loose is None or not isinstance(loose.o, dict):
        raise error
    fields = {name: getattr(loose, name) for name in Header.__struct_fields__}
    odds: Odds = {key: _odds_text(raw) for key, raw in loose.o.items()}
    if all(text == MALFORMED_PRICE for text in odds.values()):
        raise error  # nothing could be read: that is another format, not a damaged part
    return Event(**fields, o=odds), True
