"""Entering a sweep a little at a time, against matching everything anew."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from overround.caching.event_register import EventRegister, KnownListing
from overround.records.event import LeagueListings, Listing
from overround.scraping.absence import Absences, Sweep
from overround.scraping.discovery import enter_listings, entering

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
GRACE = timedelta(hours=2)
PRECEDENCE = ("alpha", "beta")
TEAMS = ("Northern Town", "Southern Rovers", "Eastern Albion")


def gone(sweep: Sweep, missing: Sequence[KnownListing]) -> Sequence[KnownListing]:
    """Choose what is gone by this sweep alone."""
    return Absences(timedelta(minutes=1)).gone(sweep, missing, 0.0)


@st.composite
def listings(draw: st.DrawFn, bookmaker: str) -> Listing:
    """Draw one of few listings, so that they meet, move, return and contradict each other."""
    return Listing(
        bookmaker=bookmaker,
        listing_id=draw(st.sampled_from("abcd")),
        sr_id=draw(st.sampled_from((None, 1, 2))),
        sport="football",
        home=draw(st.sampled_from(TEAMS)),
        away="Western United",
        kickoff=START + timedelta(hours=draw(st.sampled_from((3, 4, 40)))),
        country="Utopia",
        tournament="First League",
        active=draw(st.booleans()),
    )


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """Draw what some leagues answer; the others do not."""
    leagues = draw(st.lists(st.tuples(st.sampled_from(PRECEDENCE), st.sampled_from("xy")), unique=True, max_size=4))
    return Sweep(
        leagues=tuple(
            LeagueListings(
                bookmaker=bookmaker,
                league=league,
                listings=tuple(
                    draw(st.lists(listings(bookmaker), max_size=3, unique_by=lambda listing: listing.listing_id))
                ),
                unreadable=draw(st.sampled_from((0, 0, 1))),
            )
            for bookmaker, league in leagues
        ),
        failures=(),
    )


@given(st.lists(sweeps(), min_size=1, max_size=5))
def test_after_a_sweep_matching_everything_anew_changes_nothing(several: list[Sweep]) -> None:
    """Looking at changed events alone leaves the book as looking at all of them would."""
    book = EventRegister()
    for number, sweep in enumerate(several):
        now = START + timedelta(minutes=5 * number)
        for _ in entering(book, sweep, PRECEDENCE, now, GRACE, gone):
            pass
        current = [known for known in book.known() if known.gone_at is None]
        again = enter_listings(book, current, PRECEDENCE, now)
        assert (again.events, again.listings) == ((), ())


@given(st.lists(sweeps(), min_size=1, max_size=4))
def test_a_sweep_that_comes_again_brings_nothing(several: list[Sweep]) -> None:
    """The same answers once more differ in nothing, and count as seen."""
    book = EventRegister()
    for sweep in several:
        for _ in entering(book, sweep, PRECEDENCE, START, GRACE, gone):
            pass
    later = START + timedelta(minutes=5)
    updates = list(entering(book, several[-1], PRECEDENCE, later, GRACE, gone))
    assert not any(update.events or update.listings for update in updates)
    stated = {(one.bookmaker, one.listing_id) for league in several[-1].leagues for one in league.listings}
    assert all(
        book.seen_at(known) == later for known in book.known() if known.gone_at is None and _key(known) in stated
    )


def _key(known: KnownListing) -> tuple[str, str]:
    return (known.listing.bookmaker, known.listing.listing_id)
