"""How fast the database grows."""

from datetime import UTC, datetime, timedelta

from overround.upkeep.maintenance import Growth

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_growth_needs_two_measurements() -> None:
    """Before the first there is no size, before the second no growth, nor between two of the same instant."""
    growth = Growth()
    assert (growth.newest, growth.per_day) == (None, None)
    growth.measured(START, 100)
    assert (growth.newest, growth.per_day) == (100, None)
    growth.measured(START, 150)
    assert (growth.newest, growth.per_day) == (150, None)


def test_growth_is_that_of_the_last_day() -> None:
    """It is taken over the last 24 hours of hourly measurements; a database can shrink."""
    growth = Growth()
    for hour in range(100):
        growth.measured(START + timedelta(hours=hour), 1000 - 10 * hour)
    assert growth.newest == 10
    assert growth.per_day == -240
