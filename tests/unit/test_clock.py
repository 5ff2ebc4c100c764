"""The clock that is set to another date."""

from datetime import UTC, datetime, timedelta

from overround.clock import OffsetClock

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_moving_the_clock_moves_both_its_times() -> None:
    """A jump passes for those who count seconds as for those who read the date."""
    clock = OffsetClock(START)
    seconds, now = clock.monotonic(), clock.now()
    clock.move_to(now + timedelta(hours=1))
    assert 3600 <= clock.monotonic() - seconds < 3660
    assert timedelta(hours=1) <= clock.now() - now < timedelta(hours=1, minutes=1)


def test_the_clock_never_goes_back() -> None:
    """Moving it to an instant that has passed changes nothing."""
    clock = OffsetClock(START)
    seconds, now = clock.monotonic(), clock.now()
    clock.move_to(START - timedelta(days=1))
    assert 0 <= clock.monotonic() - seconds < 60
    assert clock.now() >= now
