"""A wrong wall clock: it drops nothing, ends nothing, makes nothing old, and is told."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from overround.access.tokens import Sessions
from overround.caching.event_register import EventRegister, KnownListing
from overround.clock import monotonic_at
from overround.records.event import LeagueListings
from overround.scheduling.clock_watch import SHOWN_FOR, ClockWatch
from overround.scraping.absence import Absences, Sweep
from overround.scraping.discovery import entering
from overround.testing import ManualClock
from tests.support.desk import KICKOFF, START, listing

GRACE = timedelta(hours=2)
STEPS = (timedelta(hours=-2), timedelta(days=3), timedelta(days=200))


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands well before the kick-off."""
    return ManualClock(START)


def book_of_one(clock: ManualClock) -> EventRegister:
    """Return a book that knows one listing of one event, entered as a discovery does."""
    book = EventRegister()
    discover(book, clock)
    assert len(book) == 1
    return book


def discover(book: EventRegister, clock: ManualClock) -> None:
    """Enter a sweep in which the listing is listed."""
    league = LeagueListings(bookmaker="betpawa", league="one", listings=(listing("betpawa", "a", 1),))
    absences = Absences(timedelta(minutes=5))

    def gone(sweep: Sweep, missing: Sequence[KnownListing]) -> Sequence[KnownListing]:
        return absences.gone(sweep, missing, clock.monotonic())

    for _ in entering(book, Sweep(leagues=(league,), failures=()), ("betpawa",), clock.now(), GRACE, gone):
        pass


@pytest.mark.parametrize("step", STEPS)
def test_ten_minutes_of_a_wrong_clock_evict_nothing(clock: ManualClock, step: timedelta) -> None:
    """Twenty cycles under a clock that is hours or months off leave the event and its listing where they are."""
    book = book_of_one(clock)
    clock.step(step)
    for _ in range(20):
        assert book.drop_started(clock.now(), clock.monotonic(), GRACE) == ()
        clock.advance(30)
    clock.step(-step)
    assert book.drop_started(clock.now(), clock.monotonic(), GRACE) == ()
    assert [known.gone_at for known in book.known()] == [None]


def test_what_has_started_is_evicted_after_its_grace(clock: ManualClock) -> None:
    """An event that kicked off leaves two hours later, and its listing with it."""
    book = book_of_one(clock)
    clock.advance((KICKOFF - clock.now()).total_seconds() + 1)
    assert book.drop_started(clock.now(), clock.monotonic(), GRACE) == ()
    clock.advance(GRACE.total_seconds())
    assert book.drop_started(clock.now(), clock.monotonic(), GRACE) == (1,)
    assert tuple(book.known()) == ()


def test_a_listing_is_not_gone_for_a_clock_that_is_ahead(clock: ManualClock) -> None:
    """Listed is listed, also where the clock says that the match was played long ago."""
    book = book_of_one(clock)
    clock.step(timedelta(days=3))
    discover(book, clock)
    assert [known.gone_at for known in book.known()] == [None]


def test_prices_of_a_time_to_come_age_from_now_on(clock: ManualClock) -> None:
    """A stored time that lies ahead counts as the present, one that lies behind as long ago as it was."""
    clock.advance(100)
    assert monotonic_at(clock, clock.now() + timedelta(hours=12)) == 100
    assert monotonic_at(clock, clock.now() - timedelta(hours=1)) == 100 - 3600


def test_sessions_end_by_the_time_that_passes(clock: ManualClock) -> None:
    """A clock three days ahead logs nobody out, and one set back keeps nobody in."""
    sessions = Sessions(clock, timedelta(hours=8))
    token = sessions.begin("key")
    clock.step(timedelta(days=3))
    assert sessions.key_of(token) == "key"
    clock.step(timedelta(days=-30))
    clock.advance(8 * 3600)
    assert sessions.key_of(token) is None


async def test_a_step_is_told_for_ten_minutes(clock: ManualClock) -> None:
    """More than a minute at once is told with its size; after ten minutes it is told no more."""
    watch = ClockWatch(clock)
    clock.advance(3600)
    await watch.look()
    clock.step(timedelta(seconds=59))
    await watch.look()
    assert watch.reason() == ""
    clock.step(timedelta(hours=-2))
    await watch.look()
    assert watch.reason() == "the clock was set 2:00:00 back"
    clock.advance(SHOWN_FOR - 1)
    await watch.look()
    assert watch.reason()
    clock.advance(1)
    assert watch.reason() == ""


def test_a_clock_that_differs_from_the_databases_is_told(clock: ManualClock) -> None:
    """A service that was started under a wrong clock sees no step; the database's clock shows it."""
    watch = ClockWatch(clock)
    watch.compare(clock.now() + timedelta(seconds=30))
    assert watch.reason() == ""
    watch.compare(clock.now() - timedelta(days=200))
    assert watch.reason() == "the clock is 200 days, 0:00:00 ahead of the database's"
