"""Instants within the years that a fixture can be in."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.bookmakers.kit.dates import EARLIEST, LATEST, bounded, from_milliseconds, from_text
from overround.errors import DateError


@given(st.integers() | st.integers(-(10**14), 10**14))
def test_milliseconds_are_a_date_or_an_error(milliseconds: int) -> None:
    """No number overflows; what is within the years comes back exactly."""
    try:
        found = from_milliseconds(milliseconds)
    except DateError:
        return
    assert EARLIEST <= found < LATEST
    assert (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == milliseconds


@pytest.mark.parametrize("milliseconds", [0, -1, 1_796_140_800, 253_402_300_799_000, 10**18, -(10**18), 10**400])
def test_placeholders_and_seconds_are_no_dates(milliseconds: int) -> None:
    """The epoch, seconds for milliseconds, and the year 9999."""
    with pytest.raises(DateError, match="years 2000 to 2200"):
        from_milliseconds(milliseconds)


@given(st.datetimes(timezones=st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))))
def test_no_zone_overflows(instant: datetime) -> None:
    """Near the years 1 and 9999 a conversion would overflow: it is a DateError or the same instant in UTC."""
    try:
        assert bounded(instant) == instant
    except DateError:
        assert not EARLIEST <= instant < LATEST


@pytest.mark.parametrize(
    "text", ["9999-12-31 23:59:59", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "soon", ""]
)
def test_texts_that_are_no_dates(text: str) -> None:
    """Placeholders with and without a zone, and words."""
    with pytest.raises(DateError):
        from_text(text)


def test_a_text_without_a_zone_is_in_utc() -> None:
    """With a zone it is converted, without one it is UTC; a naive instant is refused."""
    assert (
        from_text("2026-05-06 11:00:00")
        == from_text("2026-05-06T13:00:00+02:00")
        == datetime(2026, 5, 6, 11, tzinfo=UTC)
    )
    with pytest.raises(DateError):
        bounded(datetime(2026, 5, 6, 11))  # noqa: DTZ001 - that is what is refused
