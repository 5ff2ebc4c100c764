"""Listings linked to events by hand, on scripted bookmakers and a real database."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.repositories import PostgresLinkRepository, PostgresWarmupRepository
from overround.errors import DatabaseUnavailableError, UnknownEventError, UnknownListingError
from overround.records.event import Listing, ListingLink
from overround.scraping.linking import ListingLinker, candidates
from overround.scraping.start_up import WarmUp
from tests.support.database_desk import NUMBERS, DatabaseDesk, running_desk
from tests.support.desk import OPTIONS, Desk, listing, result_prices


@pytest.fixture
async def desk() -> Desk:
    """Return a desk with one match, and a listing of it that states no id, after a cycle."""
    desk = Desk()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    unmatched = listing("sportybet", "s1", None, home="Northern One", away="Southern One")
    desk.books["sportybet"].offer(unmatched, result_prices(2150))
    await desk.coordinator.run_full_cycle()
    desk.clock.advance(60)
    return desk


@pytest.fixture
async def database_desk(engine: AsyncEngine) -> AsyncIterator[DatabaseDesk]:
    """Yield a desk with one match at one bookmaker that writes to the database."""
    async with running_desk(engine) as desk:
        del desk.books["sportybet"].board["s1"]
        yield desk


@pytest.fixture
def linker(desk: Desk, engine: AsyncEngine) -> ListingLinker:
    """Return a linker over the desk that stores in the database."""
    return ListingLinker(desk.coordinator, desk.book, PostgresLinkRepository(engine), desk.clock)


async def test_a_linked_listing_is_scraped_for_its_event(desk: Desk, linker: ListingLinker) -> None:
    """From the link on the event has the bookmaker's prices, also after discovery has seen the listing again."""
    assert desk.cache.get(1, "sportybet") is None
    await linker.link("sportybet", "s1", 1, "same match, no id")
    for _ in range(2):
        await desk.coordinator.run_full_cycle()
        desk.clock.advance(60)
    assert set(desk.book.listings_of(1)) == {"betpawa", "sportybet"}
    cached = desk.cache.get(1, "sportybet")
    assert cached is not None
    assert {prices.prices[0] for prices in cached.markets.values()} == {2150}


async def test_a_wrong_number_of_the_bookmaker_is_overruled(desk: Desk, linker: ListingLinker) -> None:
    """A linked listing is taken for the event although its own body names another."""
    desk.books["sportybet"].offer(listing("sportybet", "s9", 9), result_prices(2500))
    await desk.coordinator.run_full_cycle()
    await linker.link("sportybet", "s9", 1, "the bookmaker's number is wrong")
    desk.clock.advance(60)
    await desk.coordinator.run_full_cycle()
    assert desk.book.listings_of(1)["sportybet"].listing_id == "s9"
    cached = desk.cache.get(1, "sportybet")
    assert cached is not None
    assert {prices.prices[0] for prices in cached.markets.values()} == {2500}


async def test_a_link_does_not_outlive_its_match(desk: Desk, linker: ListingLinker) -> None:
    """When the bookmaker uses the listing's id for other teams, the link lapses and the event loses the prices."""
    await linker.link("sportybet", "s1", 1, "same match, no id")
    desk.clock.advance(60)
    await desk.coordinator.run_full_cycle()
    other = listing("sportybet", "s1", None, home="Other", away="Match")
    desk.books["sportybet"].offer(other, result_prices(1100))
    desk.clock.advance(60)
    await desk.coordinator.run_full_cycle()
    assert set(desk.book.listings_of(1)) == {"betpawa"}
    cached = desk.cache.get(1, "sportybet")
    assert cached is not None
    assert not any(prices.prices for prices in cached.markets.values())


async def test_a_lapsed_link_stays_lapsed_over_restarts(database_desk: DatabaseDesk) -> None:
    """Its row applies neither at the start nor at the next discovery, whether the new match has a number or not."""
    desk, links = database_desk, PostgresLinkRepository(database_desk.engine)
    linker = ListingLinker(desk.coordinator, desk.book, links, desk.clock)
    for number in (None, 8):
        desk.books["sportybet"].offer(unnumbered("s7"), result_prices(2500))
        await desk.cycle()
        await linker.link("sportybet", "s7", 1, "same match, no id")
        await desk.cycle()
        assert desk.book.listings_of(1)["sportybet"].listing_id == "s7"
        other = listing("sportybet", "s7", number, home="Other", away="Match")
        desk.books["sportybet"].offer(other, result_prices(1100))
        await desk.cycle()
        restarted = await started_again(desk)
        assert list(restarted.book.links()) == []
        restarted.coordinator.rematch([1])
        await restarted.coordinator.run_full_cycle()
        assert restarted.book.listings_of(1).keys() == {"betpawa"}


async def test_a_link_lapses_that_nobody_saw_lapse(database_desk: DatabaseDesk) -> None:
    """The id is used again while the service is down, or long after the listing was forgotten."""
    desk, links = database_desk, PostgresLinkRepository(database_desk.engine)
    desk.books["sportybet"].offer(unnumbered("s7"), result_prices(2500))
    await desk.cycle()
    await ListingLinker(desk.coordinator, desk.book, links, desk.clock).link("sportybet", "s7", 1, "no id")
    other = listing("sportybet", "s7", None, home="Other", away="Match")
    desk.books["sportybet"].offer(other, result_prices(1100))
    forgetful = Desk(clock=desk.clock, books=desk.books)
    for link in await links.links():
        forgetful.book.link(link)
    for desk_after in (await started_again(desk), forgetful):
        await desk_after.coordinator.run_full_cycle()
        assert desk_after.book.listings_of(1).keys() == {"betpawa"}
        assert list(desk_after.book.links()) == []


async def test_a_link_over_a_wrong_number_survives_restarts(database_desk: DatabaseDesk) -> None:
    """The bookmaker's own number is known to be another than the link's, so it is no other match."""
    desk, links = database_desk, PostgresLinkRepository(database_desk.engine)
    desk.books["sportybet"].offer(listing("sportybet", "s9", 9), result_prices(2500))
    await desk.cycle()
    await ListingLinker(desk.coordinator, desk.book, links, desk.clock).link("sportybet", "s9", 1, "wrong number")
    await desk.cycle()
    restarted = await started_again(desk)
    for _ in range(2):
        await restarted.coordinator.run_full_cycle()
        assert restarted.book.listings_of(1)["sportybet"].listing_id == "s9"


def unnumbered(listing_id: str) -> Listing:
    """Return a listing of the match that states no number."""
    return listing("sportybet", listing_id, None, home="Northern 1", away="Southern 1")


async def started_again(desk: DatabaseDesk) -> Desk:
    """Return a desk that knows what a started service reads from the database."""
    again, ready = Desk(clock=desk.clock, books=desk.books), asyncio.Event()
    ready.set()
    repository, links = PostgresWarmupRepository(desk.engine, list(NUMBERS)), PostgresLinkRepository(desk.engine)
    async with WarmUp(ready, repository, links, again.context, OPTIONS.eviction_grace, 10, ready).running():
        desk.clock.advance(60)
    return again


async def test_a_linked_listing_takes_its_own_bodies_alone(desk: Desk, linker: ListingLinker) -> None:
    """A body with another number than the bookmaker's own, or of other teams, is refused for a linked listing too."""
    desk.books["sportybet"].offer(listing("sportybet", "s9", 9), result_prices(2500))
    await desk.coordinator.run_full_cycle()
    await linker.link("sportybet", "s9", 1, "the bookmaker's number is wrong")
    await linker.link("sportybet", "s1", 1, "no number")
    desk.clock.advance(60)
    await desk.coordinator.run_full_cycle()
    desk.books["sportybet"].board["s9"].listing = listing("sportybet", "s9", 8)
    assert (await desk.coordinator.scrape_event(1)).errors == {"malformed": 1}


async def test_what_was_linked_can_be_taken_back(desk: Desk, linker: ListingLinker) -> None:
    """Without its link the listing is unmatched again, at once and after the next discovery."""
    await linker.link("sportybet", "s1", 1, "same match")
    await linker.unlink("sportybet", "s1", "it was another")
    assert set(desk.book.listings_of(1)) == {"betpawa"}
    await desk.coordinator.run_full_cycle()
    assert set(desk.book.listings_of(1)) == {"betpawa"}
    with pytest.raises(UnknownListingError):
        await linker.unlink("sportybet", "s1", "twice")


async def test_links_are_stored(desk: Desk, linker: ListingLinker, engine: AsyncEngine) -> None:
    """The database has the newest word on each listing, until it is taken back."""
    repository = PostgresLinkRepository(engine)
    for reason in ("first", "second"):
        await linker.link("sportybet", "s1", 1, reason)
    assert list(await repository.links()) == [
        ListingLink(
            bookmaker="sportybet",
            listing_id="s1",
            sr_id=1,
            reason="second",
            linked_at=desk.clock.now(),
            home="Northern One",
            away="Southern One",
            tournament="First League",
        )
    ]
    await linker.unlink("sportybet", "s1", "")
    assert list(await repository.links()) == []


async def test_what_is_not_known_cannot_be_linked(linker: ListingLinker) -> None:
    """An unknown listing and an unknown event are told apart."""
    with pytest.raises(UnknownListingError):
        await linker.link("sportybet", "nowhere", 1, "no such listing")
    with pytest.raises(UnknownEventError):
        await linker.link("sportybet", "s1", 4711, "no such event")


async def test_a_link_that_cannot_be_stored_does_not_count(desk: Desk) -> None:
    """Without its database a link is refused, and nothing has moved."""

    class Away:
        async def links(self) -> tuple[ListingLink, ...]:
            return ()

        async def save(self, link: ListingLink) -> None:
            raise DatabaseUnavailableError(f"away: {link.listing_id}")

        async def remove(self, bookmaker: str, listing_id: str) -> None:
            raise DatabaseUnavailableError(f"away: {bookmaker} {listing_id}")

    linker = ListingLinker(desk.coordinator, desk.book, Away(), desk.clock)
    with pytest.raises(DatabaseUnavailableError):
        await linker.link("sportybet", "s1", 1, "same match")
    assert set(desk.book.listings_of(1)) == {"betpawa"}
    assert list(desk.book.links()) == []


def test_the_likeliest_event_comes_first(desk: Desk) -> None:
    """Candidates are near in time and alike in name; a stranger is none."""
    stranger = listing("sportybet", "s1", None, home="Quixotic", away="Zebra")
    alike = listing("sportybet", "s1", None, home="Northern One", away="Southern One")
    assert [one.event.sr_id for one in candidates(alike, desk.book.events())] == [1]
    assert list(candidates(stranger, desk.book.events())) == []
