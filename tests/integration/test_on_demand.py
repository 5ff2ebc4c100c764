"""Single events on demand, failures retried: on scripted bookmakers, without a database."""

import asyncio
from datetime import timedelta

import pytest

from overround.errors import (
    BlockedError,
    CoolingDownError,
    NothingToRetryError,
    UnknownEventError,
    UnknownRunError,
)
from overround.records.batch import RunKind, RunStatus
from overround.scraping.on_demand import ScrapeController
from overround.streaming.progress import RunFinished
from tests.support.desk import RESULT, Desk, listing, result_prices

COOL_DOWN = timedelta(seconds=5)


@pytest.fixture
def desk() -> Desk:
    """Return a desk with one match at two bookmakers."""
    desk = Desk()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    desk.books["sportybet"].offer(listing("sportybet", "s1"), result_prices(2150))
    return desk


@pytest.fixture
async def control(desk: Desk) -> ScrapeController:
    """Return a controller that has run one cycle."""
    control = ScrapeController(desk.coordinator, desk.context, COOL_DOWN)
    await control.run_cycle()
    desk.clock.advance(60)
    return control


async def test_a_scrape_tells_what_it_changed(desk: Desk, control: ScrapeController) -> None:
    """The answer names the markets that differ, with their prices before and after, and only those."""
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2200))
    scrape = await control.scrape_event(1)
    (change,) = scrape.changes
    assert (change.bookmaker, change.key) == ("betpawa", RESULT)
    assert (change.before.prices[0], change.after.prices[0]) == (2100, 2200)


async def test_simultaneous_callers_share_one_fetch(desk: Desk, control: ScrapeController) -> None:
    """Whoever asks while an event is being scraped gets that run: each bookmaker is asked once."""
    gate = desk.books["betpawa"].gates["p1"] = asyncio.Event()
    asked = len(desk.books["betpawa"].fetched)
    desk.books["betpawa"].asked.clear()
    callers = [asyncio.create_task(control.scrape_event(1)) for _ in range(3)]
    await desk.books["betpawa"].asked.wait()
    gate.set()
    scrapes = await asyncio.gather(*callers)
    assert len(desk.books["betpawa"].fetched) == asked + 1
    assert len({scrape.run.run_id for scrape in scrapes}) == 1
    assert sorted(scrape.shared for scrape in scrapes) == [False, True, True]


async def test_a_caller_who_gives_up_does_not_end_the_scrape_of_the_others(
    desk: Desk, control: ScrapeController
) -> None:
    """The first caller's cancellation leaves the shared scrape to those who still wait."""
    gate = desk.books["betpawa"].gates["p1"] = asyncio.Event()
    first, second = (asyncio.create_task(control.scrape_event(1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert (await second).run.status is RunStatus.COMPLETED


async def test_an_event_cools_down(desk: Desk, control: ScrapeController) -> None:
    """Just after a scrape the next is refused with the time to wait; afterwards it is made."""
    await control.scrape_event(1)
    desk.clock.advance(2)
    with pytest.raises(CoolingDownError) as refused:
        await control.scrape_event(1)
    assert refused.value.retry_after == pytest.approx(3)
    desk.clock.advance(3)
    await control.scrape_event(1)


async def test_an_unknown_event_needs_no_cooling(control: ScrapeController) -> None:
    """An event that nobody lists is refused as such, however often it is asked for."""
    for _ in range(2):
        with pytest.raises(UnknownEventError):
            await control.scrape_event(4711)


async def test_failures_are_told_and_retried_alone(desk: Desk, control: ScrapeController) -> None:
    """A retry asks only the bookmaker that failed, and only for the event it failed with."""
    desk.books["betpawa"].failures["p1"] = [BlockedError("betpawa", "event p1", "a page instead of JSON")]
    run = await control.run_cycle()
    detail = control.detail(run.run_id)
    assert detail is not None
    assert [(one.sr_id, one.bookmaker, one.error_class) for one in detail.failures] == [(1, "betpawa", "blocked")]
    assert "a page instead of JSON" in detail.failures[0].message
    asked = len(desk.books["sportybet"].fetched)
    ended = asyncio.Event()
    with desk.context.progress.listening(lambda told: ended.set() if isinstance(told, RunFinished) else None):
        retried = control.retry_failures(run.run_id)
        await ended.wait()
    newest = control.runs()[0]
    assert (newest.run_id, newest.kind, newest.status) == (retried, RunKind.RETRY, RunStatus.COMPLETED)
    assert len(desk.books["sportybet"].fetched) == asked


async def test_what_cannot_be_retried_is_refused(control: ScrapeController) -> None:
    """A run without failures and a run that is not known are told apart."""
    with pytest.raises(NothingToRetryError):
        control.retry_failures(control.runs()[0].run_id)
    with pytest.raises(UnknownRunError):
        control.retry_failures(4711)


async def test_a_run_knows_its_phases(control: ScrapeController) -> None:
    """A cycle's detail has its changed markets."""
    detail = control.detail(control.runs()[0].run_id)
    assert detail is not None
    assert detail.markets_changed == 2
