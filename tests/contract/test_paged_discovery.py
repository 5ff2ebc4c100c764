"""Discovery in pages, both ways: one league spread over pages, and one cursor-paged list for a whole sport."""

from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from overround.errors import ErrorClass, TransientFetchError
from overround.records.event import DiscoveryFailure, LeagueListings, Listing
from overround.testing import ManualClock, ScriptedBookmaker
from tests.support.desk import START, Desk, listing, result_prices

PAGE = 2
Label = Callable[[Listing], str]


def by_league(one: Listing) -> str:
    """Label a list by its league, however many pages that takes."""
    return f"{one.country} / {one.tournament}"


def by_sport(one: Listing) -> str:
    """Label a list by its sport: the cursor runs through all leagues."""
    return one.sport


class Paged(ScriptedBookmaker):
    """A bookmaker whose lists come in pages of two; `lost_page` of each list fails."""

    label: Label = staticmethod(by_league)
    lost_page: int | None = None

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield page by page, each with the label of its list."""
        del sports
        lists: dict[str, list[Listing]] = {}
        for entry in self.board.values():
            lists.setdefault(self.label(entry.listing), []).append(entry.listing)
        for label, listings in lists.items():
            for start in range(0, len(listings), PAGE):
                some = tuple(listings[start : start + PAGE])
                if start // PAGE == self.lost_page:
                    reason = TransientFetchError.error_class
                    yield DiscoveryFailure(bookmaker=self.slug, league=label, error_class=reason, message="reset")
                else:
                    yield LeagueListings(bookmaker=self.slug, league=label, listings=some, listed=len(some))


@pytest.fixture(params=[by_league, by_sport])
def book(request: pytest.FixtureRequest) -> Paged:
    """Return a bookmaker that pages in one of both ways, with five matches in two leagues."""
    book = Paged("paged", ManualClock(START))
    book.label = request.param
    for number in range(1, 6):
        tournament = "First League" if number < 4 else "Second League"
        book.offer(listing("paged", f"p{number}", number, tournament=tournament), result_prices())
    return book


@pytest.fixture
def desk(book: Paged) -> Desk:
    """Return a desk with that bookmaker alone."""
    return Desk(books={"paged": book})


def offered(desk: Desk) -> set[str]:
    """Return the listings that are there."""
    return {known.listing.listing_id for known in desk.book.known() if known.gone_at is None}


async def test_pages_are_one_list(desk: Desk, book: Paged) -> None:
    """All pages together show what is there, and what has left."""
    await desk.coordinator.run_full_cycle()
    assert offered(desk) == {"p1", "p2", "p3", "p4", "p5"}
    del book.board["p3"]
    desk.clock.advance(1)
    run = await desk.coordinator.run_full_cycle()
    assert offered(desk) == {"p1", "p2", "p4", "p5"}
    assert run.counts["paged"].withdrawn == 1


async def test_a_lost_page_takes_nothing_away(desk: Desk, book: Paged) -> None:
    """A page that failed may hold what the others lack; the run says partial."""
    await desk.coordinator.run_full_cycle()
    book.lost_page = 1
    desk.clock.advance(1)
    run = await desk.coordinator.run_full_cycle()
    assert offered(desk) == {"p1", "p2", "p3", "p4", "p5"}
    assert run.errors[ErrorClass.TRANSIENT]
    assert run.counts.get("paged") is None or not run.counts["paged"].withdrawn
