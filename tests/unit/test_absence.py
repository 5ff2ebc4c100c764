"""What makes a missing listing a gone one."""

import random
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from overround.caching.event_register import KnownListing
from overround.records.event import DiscoveryFailure, LeagueListings
from overround.scraping.absence import DISAGREEING_SWEEPS, Absences, Sweep
from tests.support.desk import START, listing

INTERVAL = timedelta(minutes=1)
LATER = INTERVAL.total_seconds()
LABEL = "Utopia / First League"


def known(listing_id: str = "p1", league: str = LABEL) -> KnownListing:
    """Return a listing as the book has it."""
    return KnownListing(listing=listing("betpawa", listing_id), league=league, first_seen_at=START, seen_at=START)


def page(label: str = LABEL, listed: int = 3, stated: int | None = 3, unreadable: int = 0) -> LeagueListings:
    """Return a page of a list, which lacks the listings that tests ask for."""
    return LeagueListings(
        bookmaker="betpawa", league=label, listings=(), listed=listed, stated=stated, unreadable=unreadable
    )


def sweep(*pages: LeagueListings, failed: Iterable[str] = ()) -> Sweep:
    """Return a sweep of one bookmaker; `failed` are the labels of its failed calls."""
    failures = [
        DiscoveryFailure(bookmaker="betpawa", league=one, error_class="transient", message="") for one in failed
    ]
    return Sweep(leagues=pages, failures=tuple(failures), bookmakers=("betpawa",), sports=("football",))


def gone(absences: Absences, answer: Sweep, at: float = 0.0, one: KnownListing | None = None) -> bool:
    """Tell whether a missing listing is gone after a sweep at an instant."""
    missing = one or known()
    return absences.gone(answer, [missing], at) == [missing]


def test_a_whole_list_with_the_right_count_proves_an_absence_at_once() -> None:
    """Every page came, every entry could be read, and the bookmaker's count agrees, or it states none."""
    assert gone(Absences(INTERVAL), sweep(page()))
    assert gone(Absences(INTERVAL), sweep(page(stated=None)))


@pytest.mark.parametrize(
    "answer", [sweep(page(unreadable=1)), sweep(failed=[LABEL]), sweep(page(), failed=[LABEL])], ids=str
)
def test_a_list_that_is_not_whole_proves_nothing(answer: Sweep) -> None:
    """An unreadable entry or a failed page leaves the listing, however often it is missing."""
    absences = Absences(INTERVAL)
    assert not any(gone(absences, answer, at * LATER) for at in range(DISAGREEING_SWEEPS + 5))


def test_all_pages_of_a_list_count_together() -> None:
    """One league over several pages, and one paged list for a sport: a page alone proves nothing."""
    assert gone(Absences(INTERVAL), sweep(page(listed=2, stated=5), page(listed=3, stated=5)))
    assert not gone(Absences(INTERVAL), sweep(page(listed=2, stated=5)))
    assert not gone(Absences(INTERVAL), sweep(page(listed=2, stated=5), page(listed=3, stated=6)))
    whole_sport = known(league="football")
    assert gone(Absences(INTERVAL), sweep(*[page("football", listed=2, stated=None)] * 2), one=whole_sport)
    torn = sweep(page("football", listed=2, stated=None), failed=["football"])
    assert not gone(Absences(INTERVAL), torn, one=whole_sport)


def test_a_count_that_disagrees_takes_two_equal_lists_an_interval_apart() -> None:
    """Neither one list, nor two of one moment, nor two of different lengths are enough."""
    absences = Absences(INTERVAL)
    assert not gone(absences, sweep(page(stated=4)))
    assert not gone(absences, sweep(page(stated=4)), LATER / 2)
    assert gone(absences, sweep(page(stated=4)), LATER)
    absences = Absences(INTERVAL)
    assert not gone(absences, sweep(page(stated=4)))
    assert not gone(absences, sweep(page(listed=2, stated=4)), LATER)
    assert not gone(absences, sweep(page(listed=3, stated=4)), 2 * LATER)


def test_a_listing_that_returns_is_no_longer_suspected() -> None:
    """Missing, there, missing: that is one list without it."""
    absences = Absences(INTERVAL)
    assert not gone(absences, sweep(page(stated=4)))
    absences.gone(sweep(page(stated=4)), [], LATER)
    assert not gone(absences, sweep(page(stated=4)), 2 * LATER)


def test_a_count_that_disagrees_for_long_is_not_trusted() -> None:
    """After ten sweeps the bookmaker's counts are ignored and named; one that agrees again is trusted again."""
    absences = Absences(INTERVAL)
    for number in range(DISAGREEING_SWEEPS):
        assert not absences.untrusted()
        absences.gone(sweep(page(stated=9)), [], number * LATER)
    assert absences.untrusted() == {"betpawa"}
    assert gone(absences, sweep(page(stated=9)), 99 * LATER)
    absences.gone(sweep(page()), [], 100 * LATER)
    assert not absences.untrusted()


def test_a_league_that_is_listed_no_longer_takes_its_listings_along() -> None:
    """Where the bookmaker's other lists all came whole, twice; a failed call of it leaves everything."""
    absences = Absences(INTERVAL)
    assert not gone(absences, sweep(page("Elsewhere / Cup")))
    assert gone(absences, sweep(page("Elsewhere / Cup")), LATER)
    absences = Absences(INTERVAL)
    troubled = sweep(page("Elsewhere / Cup"), failed=["Nowhere / Cup"])
    assert not any(gone(absences, troubled, number * LATER) for number in range(5))


def test_a_listing_from_the_database_is_found_by_its_tournament() -> None:
    """A restart forgets which list showed a listing; country and tournament name it."""
    assert gone(Absences(INTERVAL), sweep(page()), one=known(league=""))


def _lists(steps: int, rng: random.Random) -> Iterator[tuple[frozenset[int], frozenset[int], int]]:
    """Yield what is really offered, what the pages show, and the count that was taken before the pages.

    Ten lists in twenty are of a busy hour: matches start and are added between count and pages, and a match that
    leaves moves the pages, which may hide another one.
    """
    offered, newest = set(range(30)), 30
    for step in range(steps):
        counted, shown_less = len(offered), 0
        if step // 10 % 2 == 0:
            if rng.random() < 0.5:
                offered.discard(rng.choice(sorted(offered)))
                shown_less = int(rng.random() < 0.5)
            if rng.random() < 0.5:
                offered.add(newest := newest + 1)
        hidden = set(rng.sample(sorted(offered), shown_less))
        yield frozenset(offered), frozenset(offered - hidden), counted


@pytest.mark.parametrize("seed", range(5))
def test_counts_that_disagree_for_a_while_neither_withdraw_nor_keep_for_ever(seed: int) -> None:
    """Over 200 lists: what is offered is withdrawn in at most one list of a hundred, what is gone leaves in time."""
    report = simulate(200, seed)
    print(report)  # noqa: T201 - the figures are the point of the simulation
    assert report["disagreeing"] > 40
    assert report["withdrawn"] > 30
    assert report["wrongly withdrawn"] <= 2
    assert report["kept for more than 12 lists"] == 0


def simulate(steps: int, seed: int) -> dict[str, int]:
    """Play lists whose counts disagree for a while, and count what became of the listings."""
    absences, rng = Absences(INTERVAL), random.Random(seed)  # noqa: S311 - made-up lists
    book: dict[int, int] = {}
    report = {
        "lists": steps,
        "disagreeing": 0,
        "withdrawn": 0,
        "wrongly withdrawn": 0,
        "kept for more than 12 lists": 0,
    }
    for step, (offered, shown, counted) in enumerate(_lists(steps, rng)):
        report["disagreeing"] += counted != len(shown)
        book = {one: 0 if one in offered else book.get(one, 0) + 1 for one in book.keys() | shown}
        missing = [known(str(one)) for one in book.keys() - shown]
        left = absences.gone(sweep(page(listed=len(shown), stated=counted)), missing, step * LATER)
        for one in (int(each.listing.listing_id) for each in left):
            report["withdrawn"] += 1
            report["wrongly withdrawn"] += one in offered
            del book[one]
        report["kept for more than 12 lists"] += sum(age > 12 for age in book.values())
    return report
