"""What a cycle fetches, and in which order."""

from datetime import timedelta

import pytest

from overround.caching.event_register import EventRegister, KnownListing
from overround.scraping.discovery import enter_listings
from overround.scraping.run_targets import batches_of, choose_targets
from tests.support.desk import START, listing

BOTH = frozenset({"betpawa", "sportybet"})


@pytest.fixture
def book() -> EventRegister:
    """Return a book with events at growing distance, some of them at two bookmakers."""
    book = EventRegister()
    ahead = {1: timedelta(days=2), 2: timedelta(hours=2), 3: timedelta(hours=2, minutes=30), 4: timedelta(days=20)}
    listings = [listing("betpawa", f"p{sr_id}", sr_id, kickoff=START + gap) for sr_id, gap in ahead.items()]
    listings.append(listing("sportybet", "s3", 3, kickoff=START + ahead[3]))
    listings.append(listing("sportybet", "s5", 5, kickoff=START - timedelta(minutes=1)))
    known = [KnownListing(listing=one, league="any", first_seen_at=START, seen_at=START) for one in listings]
    enter_listings(book, known, ("betpawa",), START)
    return book


def test_the_most_urgent_first_then_the_most_covered(book: EventRegister) -> None:
    """Within one step of urgency, an event of two bookmakers comes before an earlier one of one."""
    targets = choose_targets(book, START, None, BOTH)
    assert [target.event.sr_id for target in targets] == [3, 2, 1, 4]


def test_the_horizon_and_the_kickoff_bound_the_choice(book: EventRegister) -> None:
    """What has started, or starts beyond the horizon, is not fetched."""
    targets = choose_targets(book, START, timedelta(days=14), BOTH)
    assert {target.event.sr_id for target in targets} == {1, 2, 3}


def test_only_the_given_bookmakers_are_asked(book: EventRegister) -> None:
    """An event is fetched from the bookmakers that take part, and left out where none of them lists it."""
    targets = choose_targets(book, START, None, frozenset({"sportybet"}))
    assert [(target.event.sr_id, set(target.listings)) for target in targets] == [(3, {"sportybet"})]


def test_batches_hold_all_in_order(book: EventRegister) -> None:
    """Cutting into batches loses nothing."""
    targets = choose_targets(book, START, None, BOTH)
    batches = list(batches_of(targets, 3))
    assert [len(batch) for batch in batches] == [3, 1]
    assert [target for batch in batches for target in batch] == targets
