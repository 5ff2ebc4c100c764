"""Prices whose listing has left are withdrawn at every place; what proves nothing withdraws nothing."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.stream_mirror import Mirror
from overround.caching.warmup import warm_cache_from_db
from overround.catalogue import load_catalogue
from overround.db.repositories import PostgresWarmupRepository
from overround.records.batch import RunStatus
from overround.records.odds import SUSPENDED_UNPRICED, UNREAD, MarketPrices, State
from overround.scraping.runs import RunTally
from overround.simulator.server.faults import Fault, FaultName
from tests.integration.test_streams import Bench, follow, running_bench
from tests.support.database_desk import NUMBERS, DatabaseDesk, running_desk
from tests.support.desk import RESULT, START, Desk, listing, result_prices

Pair = tuple[int, str]


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Yield a service that has run one cycle over a small simulated market."""
    async with running_bench(database_url, tmp_path) as bench:
        await bench.cycle()
        yield bench


@pytest.fixture
async def desk(engine: AsyncEngine) -> AsyncIterator[DatabaseDesk]:
    """Yield a desk with one match at two bookmakers."""
    async with running_desk(engine) as desk:
        yield desk


async def struck(bench: Bench, name: FaultName, slug: str, share: float = 1.0) -> None:
    """Run a cycle in which a fault strikes a share of what it can at one bookmaker."""
    await bench.market.next_cycle()
    await bench.market.simulator.set_faults(Fault(name=name, bookmakers=(slug,), share=share))
    await bench.api.cycle()


async def recovered(bench: Bench) -> None:
    """Run a cycle without faults."""
    await bench.market.next_cycle()
    await bench.market.simulator.set_faults()
    await bench.api.cycle()


async def offering(bench: Bench) -> Mapping[str, set[Pair]]:
    """Return the (event, bookmaker) pairs that offer anything, as each place has it."""
    page = await bench.api.get("/api/events?limit=500")
    found: dict[str, set[Pair]] = {"best": set(), "api": set()}
    for event in page["events"]:
        for market in event["markets"]:
            active = (slug for slug, cell in market["bookmakers"].items() if cell["state"] == "active")
            found["api"].update((event["sr_id"], slug) for slug in active)
            holders = (slug for one in market["best"] for slug in one["bookmakers"])
            found["best"].update((event["sr_id"], slug) for slug in holders)
    mirror = Mirror()
    await follow(bench.api, mirror, "image_end")
    books = mirror.prices().items()
    found["stream"] = {pair for pair, book in books if any(cell["state"] == "active" for cell in book.values())}
    cache = bench.api.service.context.cache
    found["cache"] = {(sr_id, slug) for sr_id, slug, cached in cache if _offers(cached.markets.values())}
    found["csv"] = await in_csv(bench)
    views = await rows(bench, "select distinct event_id, bookmaker from prices where comparable")
    found["views"] = {(int(str(sr_id)), str(slug)) for sr_id, slug in views}
    return found


def _offers(markets: Iterable[MarketPrices]) -> bool:
    return any(market.state is State.ACTIVE for market in markets)


async def in_csv(bench: Bench) -> set[Pair]:
    """Return the (event, bookmaker) pairs that have a price in the CSV."""
    async with bench.api.session.get("/api/events.csv") as response:
        lines = list(csv.DictReader(io.StringIO(await response.text())))
    return {(int(line["sr_id"]), slug) for line in lines for slug in bench.api.service.context.sources if line[slug]}


async def reasons_in_csv(bench: Bench, slug: str) -> Mapping[int, set[str]]:
    """Return by event what the CSV says about a bookmaker's outcomes that it has, or had."""
    async with bench.api.session.get("/api/events.csv") as response:
        lines = list(csv.DictReader(io.StringIO(await response.text())))
    found: dict[int, set[str]] = {}
    for line in lines:
        if line[slug] or line[f"{slug}_reason"]:
            found.setdefault(int(line["sr_id"]), set()).add(line[f"{slug}_reason"])
    return found


async def rows(bench: Bench, sql: str) -> list[tuple[object, ...]]:
    """Return a query's rows."""
    async with bench.api.service.database.engine.connect() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(sql)]


async def test_unlisted_prices_are_withdrawn_everywhere_and_come_back(bench: Bench) -> None:
    """What a bookmaker lists no longer is nowhere active, not best, and comparable in no view; listed again, it is."""
    pairs = "select event_id, slug from listings join bookmakers as b on b.id = bookmaker_id where gone_at is not null"
    for slug in sorted(bench.api.service.context.sources):
        await struck(bench, FaultName.UNLISTED_EVENTS, slug, share=0.5)
        gone = {(sr_id, bookmaker) for sr_id, bookmaker in await rows(bench, pairs) if bookmaker == slug}
        assert gone
        reasons = await reasons_in_csv(bench, slug)
        assert {sr_id for sr_id, said in reasons.items() if said == {"removed"}} >= {sr_id for sr_id, _ in gone}
        assert {place: found & gone for place, found in (await offering(bench)).items() if found & gone} == {}
        await recovered(bench)
        assert gone <= (await offering(bench))["cache"]


@pytest.mark.parametrize("name", [FaultName.DAMAGED_ENTRIES, FaultName.SHORT_LISTS, FaultName.FAILING_LEAGUE])
async def test_lists_that_prove_nothing_withdraw_nothing(bench: Bench, name: FaultName) -> None:
    """Unreadable entries and failed pages make the run partial; too short a list is not even that."""
    offered = (await offering(bench))["cache"]
    for slug in sorted(bench.api.service.context.sources):
        await struck(bench, name, slug)
        assert (await offering(bench))["cache"] >= offered
        status = bench.api.service.control.runs()[0].status
        assert status is (RunStatus.COMPLETED if name is FaultName.SHORT_LISTS else RunStatus.PARTIAL)
    assert await rows(bench, "select count(*) from listings where gone_at is not null") == [(0,)]


async def test_a_body_in_play_before_kickoff_is_no_prematch_price(bench: Bench) -> None:
    """The prices stay as they were in cache and history, the event is compared nowhere, and recovers."""
    history = "select count(*) from odds_snapshots"
    before = await rows(bench, history)
    await bench.market.simulator.set_faults(Fault(name=FaultName.LIVE_BODIES, bookmakers=("sportybet",), share=1.0))
    await bench.api.cycle()
    assert await rows(bench, history) == before
    counts = bench.api.service.control.runs()[0].counts["sportybet"]
    assert counts.live
    assert (counts.changed, counts.failed) == (0, 0)
    struck = {pair for pair in (await offering(bench))["cache"] if pair[1] == "sportybet"}
    shown = await offering(bench)
    assert not shown["best"] & struck
    assert not shown["views"] & struck
    reasons = await reasons_in_csv(bench, "betpawa")
    assert set().union(*(reasons.get(sr_id, set()) for sr_id, _ in struck)) == {"started"}
    await recovered(bench)
    assert (await offering(bench))["best"] & struck


async def test_a_listing_used_again_leaves_its_old_event(desk: DatabaseDesk) -> None:
    """The prices of the first match are removed in cache and history in the cycle that shows the second."""
    await desk.cycle()
    desk.books["sportybet"].offer(listing("sportybet", "s1", 2, home="Other", away="Match"), result_prices(1500))
    await desk.cycle()
    first, second = desk.cache.get(1, "sportybet"), desk.cache.get(2, "sportybet")
    assert first is not None
    assert second is not None
    assert (first.markets[RESULT].state, second.markets[RESULT].prices[0]) == (State.REMOVED, 1500)
    active = "select bookmaker from prices where event_id = 1 and comparable group by 1"
    assert await desk.rows(active) == [("betpawa",)]


async def test_a_body_of_another_listing_is_refused(desk: DatabaseDesk) -> None:
    """A body with another listing's id is malformed, whatever number it states; the prices stay."""
    await desk.cycle()
    desk.books["sportybet"].board["s1"].listing = listing("sportybet", "s2")
    run = await desk.coordinator.scrape_event(1)
    assert (run.errors, run.counts["sportybet"].failed) == ({"malformed": 1}, 1)


async def test_an_unread_outcome_keeps_its_state_over_a_restart(desk: DatabaseDesk) -> None:
    """Good body, restart, unreadable body: nothing changes, nothing is written, and the time of the market stays."""
    await desk.cycle()
    before = await desk.rows("select count(*) from odds_snapshots")
    desk.cache.evict([1])
    repository = PostgresWarmupRepository(desk.engine, list(NUMBERS))
    await warm_cache_from_db(repository, desk.cache, desk.book, load_catalogue(), START - timedelta(days=1))
    warmed = desk.cache.get(1, "sportybet")
    assert warmed is not None
    confirmed = warmed.market_confirmed_at(RESULT)
    known = warmed.markets[RESULT].prices
    desk.books["sportybet"].offer(listing("sportybet", "s1"), {RESULT: MarketPrices((known[0], UNREAD, known[2]))})
    await desk.cycle()
    after = desk.cache.get(1, "sportybet")
    assert after is not None
    assert (after.markets[RESULT].prices, after.market_confirmed_at(RESULT)) == (known, confirmed)
    assert await desk.rows("select count(*) from odds_snapshots") == before


async def test_an_unread_outcome_at_first_sight_is_not_offered(desk: DatabaseDesk) -> None:
    """Without a known state there is none to keep."""
    desk.books["sportybet"].offer(
        listing("sportybet", "s1"), {RESULT: MarketPrices((UNREAD, 3300, SUSPENDED_UNPRICED))}
    )
    await desk.cycle()
    found = desk.cache.get(1, "sportybet")
    assert found is not None
    assert found.markets[RESULT].prices == (0, 3300, SUSPENDED_UNPRICED)


async def test_an_answer_under_way_does_not_bring_back_what_is_withdrawn() -> None:
    """A fetch that began before the listing left ends after it: its prices are not stored."""
    desk = Desk()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    await desk.coordinator.run_full_cycle()
    run = desk.context.runs.begin(desk.context.runs.newest()[0].kind)
    targets = desk.coordinator._targets(None)
    results = await desk.coordinator.scrape_batch(run, targets)
    del desk.books["betpawa"].board["p1"]
    desk.clock.advance(60)
    await desk.coordinator.run_full_cycle()
    await desk.coordinator.store_batch_results(run, 0, results, RunTally())
    cached = desk.cache.get(1, "betpawa")
    assert cached is not None
    assert cached.markets[RESULT].state is State.REMOVED
