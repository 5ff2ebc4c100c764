"""Listings become events: identity, names, duplicates, conflicts."""

from datetime import timedelta

import pytest

from overround.records.event import Listing
from overround.scraping.matching import Matched, conflict_between, match_listings
from tests.support.desk import KICKOFF, START, listing

PRECEDENCE = ("betpawa", "sportybet", "bet9ja")


def match(*listings: Listing) -> Matched:
    """Match listings that were all first seen at once."""
    return match_listings(listings, PRECEDENCE, lambda _: START)


def test_the_reference_names_the_event() -> None:
    """Names, league and kick-off are the reference's where it lists the event."""
    matched = match(
        listing("bet9ja", "b1", home="Wuhan Three Towns"),
        listing("betpawa", "p1", home="Wuhan Three Towns FC", kickoff=KICKOFF + timedelta(minutes=5)),
    )
    (event,) = matched.events
    assert (event.home, event.kickoff) == ("Wuhan Three Towns FC", KICKOFF + timedelta(minutes=5))
    assert event.conflict == ""


def test_without_the_reference_the_majority_sets_the_kickoff() -> None:
    """Among competitors alone, the kick-off that most of them state counts."""
    later = KICKOFF + timedelta(hours=1)
    books = [listing("sportybet", "s1"), listing("bet9ja", "b1", kickoff=later), listing("other", "o1", kickoff=later)]
    assert match(*books).events[0].kickoff == later


def test_listings_without_an_id_stay_unmatched() -> None:
    """No SportRadar id, no event."""
    matched = match(listing("betpawa", "p1", None))
    assert (matched.events, len(matched.unmatched)) == ((), 1)


def test_of_two_active_listings_the_one_first_seen_later_counts() -> None:
    """The newest listing replaces an older one of the same bookmaker."""
    first_seen = {"old": START, "new": START + timedelta(hours=1)}
    matched = match_listings(
        [listing("betpawa", "new"), listing("betpawa", "old")], PRECEDENCE, lambda one: first_seen[one.listing_id]
    )
    assert [one.listing_id for one in matched.listings] == ["new"]
    assert [one.listing_id for one in matched.duplicates] == ["old"]


def test_an_active_listing_beats_a_newer_closed_one() -> None:
    """A closed listing counts only where there is no other."""
    first_seen = {"open": START, "closed": START + timedelta(hours=1)}
    matched = match_listings(
        [listing("betpawa", "closed", active=False), listing("betpawa", "open")],
        PRECEDENCE,
        lambda one: first_seen[one.listing_id],
    )
    assert [one.listing_id for one in matched.listings] == ["open"]


@pytest.mark.parametrize(
    ("home", "away"),
    [
        ("Wuhan Three Towns", "Qingdao Hainiu FC"),
        ("WUHAN THREE TOWNS FC", "Qingdao Hainiu"),
        ("Wuhan 3 Towns", "Qingdao Hainiu FC"),
        ("W. Three Towns", "Qïngdao Hainiu"),
    ],
)
def test_spellings_are_no_conflict(home: str, away: str) -> None:
    """The same teams under other spellings are one match."""
    one = listing("betpawa", "p1", home="Wuhan Three Towns FC", away="Qingdao Hainiu FC")
    assert conflict_between([one, listing("bet9ja", "b1", home=home, away=away)]) == ""


@pytest.mark.parametrize(
    ("home", "away"),
    [("Santos", "Palmeiras"), ("Qingdao Hainiu FC", "Wuhan Three Towns FC")],
    ids=["other teams", "home and away swapped"],
)
def test_other_teams_are_a_conflict(home: str, away: str) -> None:
    """Other teams, or the same ones the other way round, under one id are shown as a conflict."""
    one = listing("betpawa", "p1", home="Wuhan Three Towns FC", away="Qingdao Hainiu FC")
    assert home in conflict_between([one, listing("bet9ja", "b1", home=home, away=away)])


def test_kickoffs_a_day_apart_are_a_conflict() -> None:
    """Kick-offs more than 24 hours apart cannot be of one match."""
    late = listing("bet9ja", "b1", kickoff=KICKOFF + timedelta(hours=25))
    assert "kick-offs" in match(listing("betpawa", "p1"), late).events[0].conflict
