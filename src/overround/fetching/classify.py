"""What an HTTP answer means: the table behind every classified fetch failure."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from overround.errors import BlockedError, GoneError, MalformedError, ThrottledError, TransientFetchError
from overround.fetching.unpacking import known_encoding

LONGEST_WAIT = 15 * 60
"""Seconds for which a bookmaker is left alone at its own word; then a probe asks whether it has changed its mind."""

_GONE = frozenset((HTTPStatus.NOT_FOUND, HTTPStatus.GONE))
_TRANSIENT = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY))
_JSON_STARTS = (b"{", b"[")
_LEADING_BYTES = 64  # enough to see past a byte order mark and white space
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MOST_DIGITS = 9  # of seconds: beyond is beyond any wait, and a number of 400 digits is infinite as a float


def check_status(bookmaker: str, subject: str, status: int, retry_after: float | None) -> None:
    """Return if the status promises an answer; `retry_after` is what the bookmaker asks for, in seconds.

    Raises:
        ThrottledError: 429, or 503 that says when to come back.
        TransientFetchError: any other 5xx, 408, 425.
        GoneError: 404, 410.
        BlockedError: whatever else is not 2xx: the bookmaker does not want this request.
    """
    reason = f"status {status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None):
        raise ThrottledError(bookmaker, subject, reason, retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        raise TransientFetchError(bookmaker, subject, reason)
    if status in _GONE:
        raise GoneError(bookmaker, subject, reason)
    raise BlockedError(bookmaker, subject, reason)


def check_body(bookmaker: str, subject: str, status: int, encoding: str, body: bytes) -> None:
    """Return if a body can be JSON by its first byte; what the headers call it does not count.

    Challenge pages come as 200 or 202: empty, as HTML, or as HTML under a JSON type. One bookmaker
    answers protobuf where JSON is not asked for.

    Raises:
        BlockedError: it is not JSON.
        MalformedError: it is in an encoding that was not asked for.
    """
    if not body:
        raise BlockedError(bookmaker, subject, f"empty body with status {status}")
    if is_json(body):
        return
    if not known_encoding(encoding):
        raise MalformedError(bookmaker, subject, f"content encoding {encoding[:40]!r} was not asked for")
    raise BlockedError(bookmaker, subject, f"not JSON: begins with {body[:20].lstrip()!r}")


def is_json(body: bytes) -> bool:
    """Tell whether a body begins as JSON does, past a byte order mark and white space; UTF-16 and UTF-32 count."""
    start = body[:_LEADING_BYTES]
    narrow = start.replace(b"\0", b"")
    if narrow.startswith(_WIDE_MARKS):
        start = narrow[2:]
    return start.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(_JSON_STARTS)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return a `Retry-After` header (RFC 9110: seconds, or a date) in seconds from `now`; None if there is none.

    It is at most `LONGEST_WAIT`: a year, or a date in the year 9999, would take the bookmaker out until a restart.
    """
    stated = (value or "").strip()
    if not stated:
        return None
    if stated.isascii() and stated.isdecimal():
        return float(min(int(stated), LONGEST_WAIT)) if len(stated) <= _MOST_DIGITS else float(LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(stated)
        # A date without a zone ("-0000") comes naive; the format's dates are in UTC.
        seconds = (date.replace(tzinfo=date.tzinfo or now.tzinfo) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)
