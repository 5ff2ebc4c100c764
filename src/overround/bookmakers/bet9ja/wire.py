"""Bet9ja's single-event answers (`GetEvent`, `GetLiveEvent`): the fields we need, and nothing else.

`TRANS`, half of a body, holds labels of every market there is, and `MK` those of the markets on offer;
neither is decoded unless a market's name is asked for.
"""

from datetime import datetime
from typing import Final

import msgspec

from overround.bookmakers.kit.decoding import decode_json, decode_or_none
from overround.errors import FetchError, GoneError, MalformedError

SLUG: Final = "bet9ja"
OPEN: Final = 1
MALFORMED_PRICE: Final = "?"
_NO_EVENT: Final = "E"
_SUCCESS: Final = frozenset(("OK", "D"))


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
    extid: str | None = None
    s: str = ""
    sg: str = ""
    gn: str = ""
    st: int = OPEN


Odds = dict[str, str]


class Event(Header, rename="upper", frozen=True):
    """An event before kick-off; no `O` means that the body does not say what is offered."""

    o: Odds | None = None


class LiveEvent(Wire, rename="upper", frozen=True):
    """An event in play."""

    aa: Header
    o: dict[str, LivePrice] = {}


class LooseEvent(Header, rename="upper", frozen=True):
    """An event whose odds are not looked at yet."""

    o: dict[str, msgspec.Raw] | None = None


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
    ds: str = ""


class _Labels(Wire, rename="upper", frozen=True):
    mk: list[Label] = []


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
        GoneError: the answer is the bookmaker's "no such event", or that the event has ended.
        BlockedError: the body is not JSON.
        MalformedError: it is not an answer with an event.
    """
    try:
        answer = decode_json(ANSWER, body, SLUG, "event")
    except MalformedError as error:
        return _unusual(decode_json(_ENVELOPE, body, SLUG, "event"), error)
    if answer.r not in _SUCCESS:
        raise _refused(answer.r, answer.d.id)
    return answer.d, True


def labels(body: bytes) -> dict[str, str]:
    """Return the names of the markets on offer by id; none where the body has none, or other ones."""
    answer = decode_or_none(_LABELS, body)
    return {label.id: label.ds.strip() for label in answer.d.mk} if answer else {}


def _refused(code: str, event_id: object = "event") -> FetchError:
    if code == _NO_EVENT:
        return GoneError(SLUG, str(event_id), 'R is "E": no such event')
    return MalformedError(SLUG, str(event_id), f"{code[:40]!r} is no success", "R")


def _text(price: LivePrice) -> str:
    try:
        return bytes(price.v).decode() or MALFORMED_PRICE
    except UnicodeDecodeError:
        return MALFORMED_PRICE


def _unusual(answer: Envelope, error: MalformedError) -> tuple[Event, bool]:
    """Return what an answer holds that is not plainly an event before kick-off."""
    if answer.r not in _SUCCESS:
        raise _refused(answer.r) from error
    payload = bytes(answer.d)
    if payload == b"false":
        raise GoneError(SLUG, "event", "D is false: the event has ended") from error
    live = decode_or_none(_LIVE_EVENT, payload)
    if live:
        fields = {name: getattr(live.aa, name) for name in Header.__struct_fields__}
        return Event(**fields, o={key: _text(price) for key, price in live.o.items()}), False
    loose = decode_or_none(_LOOSE_EVENT, payload)
    if loose is None or loose.o is None:
        raise error
    fields = {name: getattr(loose, name) for name in Header.__struct_fields__}
    texts = {key: decode_or_none(_TEXT, raw) for key, raw in loose.o.items()}
    if all(text is None for text in texts.values()):
        raise error  # nothing could be read: that is another format, not a damaged part
    odds: Odds = {key: MALFORMED_PRICE if text is None else text for key, text in texts.items()}
    return Event(**fields, o=odds), True
