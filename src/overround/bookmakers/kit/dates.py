"""Instants as bookmakers state them, within the years that a fixture can be in.

Placeholders such as the year 9999 or 1, and seconds where milliseconds are due, are no dates. Sums with them
overflow, and a comparison would take them for an event of the past or of the far future.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from overround.errors import DateError

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_DATE: Final = "kick-off is no date"
_OUT_OF_RANGE: Final = "kick-off is not within the years 2000 to 2200"


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the instant that many milliseconds after 1970.

    Raises:
        DateError: it is out of range.
    """
    try:
        return bounded(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError as error:
        raise DateError(_OUT_OF_RANGE) from error


def from_text(text: str) -> datetime:
    """Return the instant of an ISO 8601 text; one without a zone is in UTC.

    Raises:
        DateError: it is no date, or out of range.
    """
    try:
        stated = datetime.fromisoformat(text)
    except ValueError as error:
        raise DateError(_NO_DATE) from error
    return bounded(stated.replace(tzinfo=stated.tzinfo or UTC))


def bounded(instant: datetime) -> datetime:
    """Return an aware instant in UTC.

    Raises:
        DateError: it is naive, or out of range.
    """
    if instant.tzinfo is None:
        raise DateError(_NO_DATE)
    # Compared first: near the years 1 and 9999 the conversion itself overflows.
    if not EARLIEST <= instant < LATEST:
        raise DateError(_OUT_OF_RANGE)
    return instant.astimezone(UTC)
