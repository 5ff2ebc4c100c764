"""What an HTTP answer means: the table behind every classified fetch failure."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from overround.errors import BlockedError, GoneError, ThrottledError, TransientFetchError

_GONE = frozenset((HTTPStatus.NOT_FOUND, HTTPStatus.GONE))
_TRANSIENT = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY))
_JSON_TYPES = frozenset(("application/json", "text/json", "text/plain", ""))
_JSON_STARTS = (b"{", b"[")
_LEADING_BYTES = 64  # enough to see past a byte order mark and white space
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


def check_body(bookmaker: str, subject: str, status: int, content_type: str, body: bytes) -> None:
    """Return if a body can be JSON by its type and its first byte.

    Challenge pages come as 200 or 202: empty, as HTML, or as HTML under a JSON type. One bookmaker
    answers protobuf where JSON is not asked for.

    Raises:
        BlockedError: it is not JSON.
    """
    if not body:
        raise BlockedError(bookmaker, subject, f"empty body with status {status}")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _JSON_TYPES and not media_type.endswith("+json"):
        raise BlockedError(bookmaker, subject, f"content type {media_type}, not JSON")
    start = body[:_LEADING_BYTES].removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not start.startswith(_JSON_STARTS):
        raise BlockedError(bookmaker, subject, f"not JSON: begins with {start[:20]!r}")


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return a `Retry-After` header (RFC 9110: seconds, or a date) in seconds from `now`; None if there is none."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date without a zone ("-0000") comes naive; the format's dates are in UTC.
    return max(0.0, (date.replace(tzinfo=date.tzinfo or now.tzinfo) - now).total_seconds())
