"""What somebody waits for goes ahead of a cycle's requests, within the same limits."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from itertools import pairwise

import pytest
from aiohttp import web

from overround.fetching.admission import Turns, is_urgent, urgent
from overround.ports import BookmakerOptions
from overround.records.event import Listing
from overround.records.response import Response
from overround.scraping.on_demand import ScrapeController
from overround.testing import ManualClock
from tests.integration.fetching.server import Bookmaker, Make, answer
from tests.support.desk import Desk, listing, result_prices


def turns(clock: ManualClock, concurrency: int, min_interval_ms: int = 0) -> Turns:
    """Return the turns at a bookmaker with these limits."""
    options = BookmakerOptions(
        base_url="http://bookmaker.test", concurrency=concurrency, min_interval_ms=min_interval_ms, timeout=10
    )
    return Turns("bookmaker", options, clock, longest_hold=10.0)


class Line:
    """Requests that wait for their turns; `order` has their names and when they started."""

    def __init__(self, turns: Turns, clock: ManualClock) -> None:
        self.order: list[tuple[str, float]] = []
        self._turns = turns
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def join(self, name: str, *, hurry: bool = False) -> None:
        """Let a request ask for its turn."""
        with urgent() if hurry else nullcontext():
            self._tasks.append(asyncio.create_task(self._ask(name)))

    async def served(self) -> list[str]:
        """Wait until all have had their turns; return their names in order."""
        await asyncio.gather(*self._tasks)
        return [name for name, _ in self.order]

    async def _ask(self, name: str) -> None:
        async with self._turns.take(name):
            self.order.append((name, self._clock.monotonic()))


async def test_a_free_place_goes_to_the_urgent_one_first(clock: ManualClock) -> None:
    """While all places are taken, requests on demand stand in front of those that wait, each kind in its order."""
    places = turns(clock, concurrency=1)
    line = Line(places, clock)
    async with places.take("running"):
        for name in ("a", "b"):
            line.join(name)
        await asyncio.sleep(0)
        for name in ("first", "second"):
            line.join(name, hurry=True)
        line.join("c")
        await asyncio.sleep(0)
        assert line.order == []
        assert places.state().in_use == 1
    assert await line.served() == ["first", "second", "a", "b", "c"]


async def test_an_urgent_request_does_not_stand_behind_times_given_to_others(clock: ManualClock) -> None:
    """Where requests start apart, it is the next to start, and the distance is kept."""
    line = Line(turns(clock, concurrency=10, min_interval_ms=1000), clock)
    for number in range(5):
        line.join(str(number))
    await asyncio.sleep(0)
    line.join("urgent", hurry=True)
    names = await line.served()
    assert names.index("urgent") < len(names) - 1  # the last to come, and not the last to go
    starts = [at for _, at in line.order]
    assert all(later - earlier >= 1 for earlier, later in pairwise(starts))


async def test_whoever_gives_up_in_the_lane_leaves_it_to_others(clock: ManualClock) -> None:
    """A cancelled urgent request holds up nobody."""
    places = turns(clock, concurrency=1)
    line = Line(places, clock)
    async with places.take("running"):
        line.join("a")
        line.join("gone", hurry=True)
        await asyncio.sleep(0)
        line._tasks.pop().cancel()
        await asyncio.sleep(0)
    assert await line.served() == ["a"]
    assert places.state().in_use == 0


async def test_over_http_the_urgent_request_is_sent_next(bookmaker: Bookmaker, make: Make) -> None:
    """With a cycle's requests queued at a bookmaker that is asked one at a time, the urgent one comes second."""
    asked, release = asyncio.Event(), asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return answer()

    bookmaker.will(hold)
    fetcher = make(concurrency=1)
    cycle = [asyncio.create_task(fetcher.get(f"/cycle/{number}")) for number in range(4)]
    await asked.wait()
    with urgent():
        hurried = asyncio.create_task(fetcher.get("/urgent"))
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(hurried, *cycle)
    assert [request.path for request in bookmaker.requests][:2] == ["/api/cycle/0", "/api/urgent"]


async def test_only_what_is_scraped_on_demand_is_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle's requests are not, also after a scrape on demand in the same service."""
    desk = Desk("betpawa")
    book = desk.books["betpawa"]
    book.offer(listing("betpawa", "p1"), result_prices())
    fetch, hurried = book.fetch_event, []

    async def noted(listing: Listing) -> Response:
        hurried.append(is_urgent())
        return await fetch(listing)

    monkeypatch.setattr(book, "fetch_event", noted)
    control = ScrapeController(desk.coordinator, desk.context, timedelta(seconds=5))
    await control.run_cycle()
    desk.clock.advance(60)
    await control.scrape_event(1)
    await control.run_cycle()
    assert hurried == [False, True, False]
