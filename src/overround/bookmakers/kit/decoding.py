"""What all bookmakers' decoders share: bytes that are not what they should be, prices, and the count of losses."""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, TypeVar

import msgspec

from overround.errors import BlockedError, MalformedError
from overround.memo import Memo
from overround.records.odds import SUSPENDED_UNPRICED, THOUSANDTHS, UNREAD, Dropped, MarketKey, Unmapped, parse_price
from overround.texts import clean_json, repaired_json

T = TypeVar("T")

PRICES_KEPT: Final = 20_000
LINES_KEPT: Final = 20_000
MALFORMED: Final = ""
"""The id that an outcome gets whose own could not be read, so that its loss is counted with its market."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_MAX_ID_DIGITS = 15
_ZERO = re.compile(r"\s*0{1,20}(?:\.0{0,20})?(?:[eE][+-]?[0-9]{1,3})?\s*")  # "0E-10" is what Java writes for none
_TEXT = msgspec.json.Decoder(str)
_NUMBER_STARTS = frozenset(bytes([digit]) for digit in b"-0123456789")


def decode_json(decoder: msgspec.json.Decoder[T], body: bytes, bookmaker: str, subject: str) -> T:
    """Decode a body; characters that no text can hold cost themselves only.

    Raises:
        BlockedError: the body is empty or not JSON at all, as a challenge page.
        MalformedError: it is truncated or damaged JSON, or JSON of another shape.
    """
    body = clean_json(body).body
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_shape(error, bookmaker, subject) from error
    except UNREADABLE:
        body = repaired_json(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_shape(error, bookmaker, subject) from error
    except UNREADABLE as error:
        if body.lstrip()[:1] not in (b"{", b"["):  # an empty slice is in no tuple
            raise BlockedError(bookmaker, subject, _not_json(body)) from error
        raise MalformedError(bookmaker, subject, f"the JSON is damaged: {error}") from error


def decode_raw(decoder: msgspec.json.Decoder[T], part: bytes | msgspec.Raw) -> T:
    """Decode a part of a body, with repairs where it is damaged.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it cannot be read.
    """
    try:
        return decoder.decode(part)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        return decoder.decode(repaired_json(bytes(part)))


def decode_or_none(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T | None:
    """Decode what need not be there, or need not be right."""
    try:
        return decode_raw(decoder, body)
    except UNREADABLE:
        return None


def number_text(raw: bytes | msgspec.Raw) -> str:
    """Return the text of a JSON number, in quotes or not; "" for null and for what is neither number nor text."""
    found = bytes(raw)
    if found[:1] == b'"':
        return decode_or_none(_TEXT, found) or ""
    return found.decode("ascii", "replace") if found[:1] in _NUMBER_STARTS else ""


def wrong_shape(error: msgspec.ValidationError, bookmaker: str, subject: str) -> MalformedError:
    """Return our error for msgspec's: the reason, and the field as a dotted path."""
    reason, _, place = str(error).partition(" - at `")
    path = place.rstrip("`").removeprefix("key in ").removeprefix("$").removeprefix(".")
    missing = _MISSING.fullmatch(reason)
    if missing:
        return MalformedError(bookmaker, subject, "it is missing", f"{path}.{missing[1]}".removeprefix("."))
    return MalformedError(bookmaker, subject, reason.replace("`", ""), path)


def _not_json(body: bytes) -> str:
    text = body.strip()
    if not text:
        return "the body is empty"
    return "the body is an HTML page, not JSON" if text.startswith(b"<") else "the body is not JSON"


def sr_number(text: str) -> int | None:
    """Return a SportRadar match number given bare or as "sr:match:123"; None for anything else."""
    digits = text.removeprefix("sr:match:")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_ID_DIGITS):
        return None
    return int(digits) or None


def sport_slug(name: str) -> str:
    """Return a sport's name in our spelling: lower case, words joined by hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def bettable_price(text: str) -> int:
    """Return a price in thousandths, or "suspended, no price" for 1.000 and below, and for zero however written.

    Raises:
        PriceError: not a price.
    """
    if _ZERO.fullmatch(text):
        return SUSPENDED_UNPRICED
    price = parse_price(text)
    return price if price > THOUSANDTHS else SUSPENDED_UNPRICED


def lose_outcome(prices: list[int], slot: int | None = None) -> None:
    """Mark an outcome as unread, or, where it is not known which one was lost, all that are not there.

    An outcome that another entry has told stays as it is.
    """
    places = range(len(prices)) if slot is None else (slot,)
    for place in places:
        prices[place] = prices[place] or UNREAD


def has_outcomes(prices: Sequence[int]) -> bool:
    """Tell whether a market has an outcome that could be read."""
    return any(prices) and (UNREAD not in prices or any(price not in (0, UNREAD) for price in prices))


def price_memo() -> Memo[str, int]:
    """Return a table of `bettable_price`."""
    return Memo(bettable_price, PRICES_KEPT)


class Tally:
    """Counts what one body holds that did not become a price."""

    def __init__(self) -> None:
        self._dropped: dict[tuple[str, str, MarketKey | None], int] = {}
        self._unmapped: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self.complete = True

    def drop(self, reason: str, field: str, key: MarketKey | None = None) -> None:
        """Count a loss; one of an unknown market leaves open what the body would have shown."""
        loss = (reason, field, key)
        self._dropped[loss] = self._dropped.get(loss, 0) + 1
        if key is None:
            self.complete = False

    def unmapped(self, wire_id: str, name: str, count: int = 1) -> None:
        """Count a market, with one line or without, that the mapping does not know."""
        if wire_id in self._unmapped:
            self._unmapped[wire_id] += count
        else:
            self._unmapped[wire_id] = count
            self._names[wire_id] = name

    @property
    def dropped_markets(self) -> tuple[Dropped, ...]:
        """Return the losses in the order of their first occurrence."""
        return tuple([Dropped(reason, field, count, key) for (reason, field, key), count in self._dropped.items()])

    @property
    def unmapped_markets(self) -> tuple[Unmapped, ...]:
        """Return the unmapped markets, the most frequent first."""
        found = sorted(self._unmapped.items(), key=itemgetter(1), reverse=True)
        return tuple([Unmapped(wire_id, self._names[wire_id], count) for wire_id, count in found])
