"""What all bookmakers' decoders share: bytes that are not what they should be, prices, and the count of losses."""

import re
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final, TypeVar

import msgspec

from overround.errors import BlockedError, MalformedError
from overround.memo import Memo
from overround.records.odds import SUSPENDED_UNPRICED, THOUSANDTHS, Dropped, MarketKey, Unmapped, parse_price

T = TypeVar("T")

PRICES_KEPT: Final = 20_000
LINES_KEPT: Final = 20_000
MALFORMED: Final = ""
"""The id that an outcome gets whose own could not be read, so that its loss is counted with its market."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ID_DIGITS = 15
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def decode_json(decoder: msgspec.json.Decoder[T], body: bytes, bookmaker: str, subject: str) -> T:
    """Decode a body.

    Raises:
        BlockedError: the body is empty or not JSON at all, as a challenge page.
        MalformedError: it is truncated or damaged JSON, or JSON of another shape.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_shape(error, bookmaker, subject) from error
    except _UNREADABLE as error:
        if body.lstrip()[:1] not in (b"{", b"["):  # an empty slice is in no tuple
            raise BlockedError(bookmaker, subject, _not_json(body)) from error
        raise MalformedError(bookmaker, subject, f"the JSON is damaged: {error}") from error


def decode_or_none(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T | None:
    """Decode what need not be there, or need not be right."""
    try:
        return decoder.decode(body)
    except _UNREADABLE:
        return None


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


def instant(milliseconds: int) -> datetime:
    """Return the instant that many milliseconds after 1970.

    Raises:
        OverflowError: it is no date.
    """
    return _EPOCH + timedelta(milliseconds=milliseconds)


def sport_slug(name: str) -> str:
    """Return a sport's name in our spelling: lower case, words joined by hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def bettable_price(text: str) -> int:
    """Return a price in thousandths, or "suspended, no price" for 1.000 and below.

    Raises:
        PriceError: not a price.
    """
    price = parse_price(text)
    return price if price > THOUSANDTHS else SUSPENDED_UNPRICED


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
