"""Scrape runs on scripted bookmakers and a real database: what ends up in cache and history."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import msgspec
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from overround.db.repositories import PostgresWarmupRepository
from overround.errors import BlockedError, QueueClosedError, TransientFetchError, UnknownEventError
from overround.records.batch import RunStatus
from overround.records.odds import MarketPrices, State
from overround.scraping.on_demand import ScrapeController
from overround.scraping.run_targets import EventTarget, choose_targets
from overround.scraping.runs import RunTally
from overround.upkeep.integrity import IntegrityCheck
from tests.support.database_desk import NUMBERS, DatabaseDesk, running_desk
from tests.support.desk import OVER_UNDER, RESULT, listing, result_prices


@pytest.fixture
async def desk(engine: AsyncEngine) -> AsyncIterator[DatabaseDesk]:
    """Yield a desk with one match at two bookmakers."""
    async with running_desk(engine) as desk:
        yield desk


async def test_only_changes_are_written(desk: DatabaseDesk) -> None:
    """The first cycle writes all, the second nothing but confirmations, the third what moved."""
    first, second = await desk.cycle(), await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2050))
    third = await desk.cycle()
    changed = [sum(counts.changed for counts in run.counts.values()) for run in (first, second, third)]
    assert changed == [2, 0, 1]
    per_run = await desk.rows("select scrape_run_id, count(*) from odds_snapshots group by 1 order by 1")
    assert per_run == [(first.run_id, 2), (third.run_id, 1)]
    assert await desk.home_prices() == [2100, 2050]


async def test_last_confirmed_is_set_on_the_confirmed_alone(desk: DatabaseDesk) -> None:
    """A confirmation touches the newest stored snapshot of what was confirmed, and no other."""
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2050))
    await desk.cycle()
    rows = await desk.rows(
        "select b.slug, s.last_confirmed_at is not null from odds_snapshots s"
        " join bookmakers b on b.id = s.bookmaker_id order by b.slug, s.captured_at"
    )
    assert rows == [("betpawa", False), ("betpawa", False), ("sportybet", True)]


async def test_runs_and_statuses_are_stored(desk: DatabaseDesk) -> None:
    """A run is stored with its end and counts, and each (event, bookmaker) with its outcome."""
    desk.books["sportybet"].failures["s1"] = [BlockedError("sportybet", "event s1", "HTTP 403")]
    run = await desk.cycle()
    assert run.status is RunStatus.PARTIAL
    assert await desk.rows("select id, kind, status from scrape_runs") == [(run.run_id, "cycle", "partial")]
    statuses = await desk.rows("select outcome, error_class from event_scrape_status order by bookmaker_id")
    assert statuses == [("changed", ""), ("failed", "blocked")]


async def test_a_failure_removes_nothing(desk: DatabaseDesk) -> None:
    """A failed fetch makes prices stale, and that is all; the next cycle recovers."""
    await desk.cycle()
    before = desk.cache.get(1, "sportybet")
    desk.books["sportybet"].failures["s1"] = [TransientFetchError("sportybet", "event s1", "reset")]
    await desk.cycle()
    assert desk.cache.get(1, "sportybet") is before
    assert (await desk.cycle()).status is RunStatus.COMPLETED


async def test_a_fault_of_ours_costs_one_event_alone(desk: DatabaseDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no one foresaw in one bookmaker's code is a failure of class internal; the others' prices arrive."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.books["sportybet"], "normalise", broken)
    run = await desk.cycle()
    assert (run.status, run.errors) == (RunStatus.PARTIAL, {"internal": 1})
    assert (run.counts["betpawa"].changed, run.counts["sportybet"].failed) == (1, 1)


async def test_a_failed_discovery_keeps_what_is_known(desk: DatabaseDesk) -> None:
    """With its discovery down, a bookmaker's known listings are scraped all the same."""
    await desk.cycle()
    desk.books["sportybet"].league_failure = TransientFetchError("sportybet", "board", "timeout")
    desk.books["sportybet"].offer(listing("sportybet", "s1"), result_prices(2222))
    run = await desk.cycle()
    assert run.counts["sportybet"].changed == 1
    assert run.status is RunStatus.PARTIAL


async def test_removed_and_returned_markets_are_changes(desk: DatabaseDesk) -> None:
    """A market that a complete body lacks is removed, once; when it returns it is a change again."""
    full = {**result_prices(), OVER_UNDER: MarketPrices((1900, 1900))}
    desk.books["betpawa"].offer(listing("betpawa", "p1"), full)
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    await desk.cycle()
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), full)
    await desk.cycle()
    rows = await desk.rows("select state from market_odds where market = 'total_goals' order by captured_at")
    assert [state for (state,) in rows] == ["active", "removed", "active"]


async def test_an_incomplete_body_removes_and_confirms_nothing(desk: DatabaseDesk) -> None:
    """Prices of an incomplete body count, its gaps do not, and it confirms nothing."""
    desk.books["betpawa"].offer(listing("betpawa", "p1"), {**result_prices(), OVER_UNDER: MarketPrices((1900, 1900))})
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2000), complete=False)
    await desk.cycle()
    cached = desk.cache.get(1, "betpawa")
    assert cached is not None
    assert cached.markets[OVER_UNDER].state is State.ACTIVE
    assert cached.market_confirmed_at(OVER_UNDER) < cached.market_confirmed_at(RESULT)


async def test_competitor_only_events_are_events(desk: DatabaseDesk) -> None:
    """A match that the reference does not list is an event like any other."""
    desk.books["sportybet"].offer(listing("sportybet", "s2", 2), result_prices())
    run = await desk.cycle()
    assert run.events == 2
    assert await desk.rows("select distinct bookmaker from prices where event_id = 2") == [("sportybet",)]


async def test_a_listing_without_an_id_is_kept_unmatched(desk: DatabaseDesk) -> None:
    """A listing that never tells its SportRadar id is stored, without an event."""
    desk.books["betpawa"].offer(listing("betpawa", "p9", None), result_prices())
    await desk.cycle()
    assert await desk.rows("select event_id from listings where listing_id = 'p9'") == [(None,)]


async def test_an_id_that_only_the_body_tells_is_found(desk: DatabaseDesk) -> None:
    """Where the list lacks the SportRadar id, the event's own body is asked, once."""
    desk.books["betpawa"].offer(listing("betpawa", "p2", 2), result_prices(), states_id=False)
    run = await desk.cycle()
    assert run.events == 2
    assert desk.cache.get(2, "betpawa") is not None
    await desk.cycle()
    assert desk.books["betpawa"].fetched.count("p2") == 3


async def test_of_two_listings_the_newer_counts(desk: DatabaseDesk) -> None:
    """A bookmaker that lists an event twice is read from the newer listing; the other is a duplicate."""
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p7"), result_prices(2500))
    await desk.cycle()
    assert await desk.home_prices() == [2100, 2500]
    duplicates = await desk.rows("select listing_id from listings where duplicate")
    assert duplicates == [("p1",)]


async def test_a_vanished_listing_is_gone_and_comes_back(desk: DatabaseDesk) -> None:
    """A listing that its answered league lacks is gone and not asked for; when it returns it counts again."""
    await desk.cycle()
    entry = desk.books["betpawa"].board.pop("p1")
    await desk.cycle()
    assert await desk.rows("select listing_id from listings where gone_at is not null") == [("p1",)]
    assert desk.books["betpawa"].fetched == ["p1"]
    desk.books["betpawa"].board["p1"] = entry
    await desk.cycle()
    assert await desk.rows("select listing_id from listings where gone_at is not null") == []
    assert desk.books["betpawa"].fetched == ["p1", "p1"]


async def test_a_body_of_another_event_is_refused(desk: DatabaseDesk) -> None:
    """A body that names another SportRadar id than its list entry costs that one fetch, and nothing else."""
    await desk.cycle()
    discovered = desk.books["sportybet"].board["s1"]
    desk.books["sportybet"].offer(listing("sportybet", "s1", 99), result_prices(9999))
    event = desk.book.event(1)
    assert event is not None
    run = await desk.coordinator.scrape_event(1)
    assert run.errors == {"malformed": 1}
    desk.books["sportybet"].board["s1"] = discovered


async def test_started_events_are_evicted_after_their_grace(desk: DatabaseDesk) -> None:
    """Two hours after kick-off an event leaves the cache, with all that was known of it."""
    await desk.cycle()
    desk.clock.advance(timedelta(hours=7).total_seconds())
    await desk.cycle()
    assert desk.cache.get(1, "betpawa") is not None
    desk.clock.advance(timedelta(hours=2).total_seconds())
    await desk.cycle()
    assert (len(desk.book), desk.cache.stats().events) == (0, 0)


@pytest.mark.parametrize("error", [QueueClosedError(), OSError("disk")])
async def test_a_refused_enqueue_loses_nothing(desk: DatabaseDesk, error: Exception) -> None:
    """A change whose enqueue was refused or failed is in history after the next cycle, though it stayed as it was."""
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2050))
    desk.gate.refusals = [error] * 3
    run = await desk.cycle()
    assert run.errors["storage"] == 2
    assert await desk.home_prices() == [2100]
    await desk.cycle()
    assert await desk.home_prices() == [2100, 2050]


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_enqueue_loses_nothing(desk: DatabaseDesk, steps: int) -> None:
    """Cancel a storing batch at any of its awaits: the change is in history after the next cycle."""
    await desk.cycle()
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2050))
    desk.gate.awaits_before = desk.gate.awaits_after = 3
    task = asyncio.create_task(desk.coordinator.scrape_event(1))
    desk.clock.advance(60)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    desk.gate.awaits_before = desk.gate.awaits_after = 0
    await desk.cycle()
    assert await desk.home_prices() == [2100, 2050]


async def test_register_changes_survive_a_refused_enqueue(desk: DatabaseDesk) -> None:
    """Events and listings whose batch was refused are written with the next run."""
    desk.gate.refusals = [OSError("disk")]
    await desk.cycle()
    assert await desk.rows("select count(*) from listings") == [(2,)]
    assert await desk.rows("select count(*) from events") == [(1,)]


async def test_an_on_demand_scrape_racing_a_cycle_never_enshrines_the_older_answer(desk: DatabaseDesk) -> None:
    """An answer that was asked for earlier but is stored later leaves cache and history alone."""
    await desk.cycle()
    run = desk.context.runs.begin(desk.context.runs.newest()[0].kind)
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(2050))
    desk.clock.advance(1)
    target = _target(desk)
    older = await desk.coordinator.scrape_batch(run, [target])
    desk.clock.advance(1)
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(1999))
    await desk.coordinator.scrape_event(1)
    tally = RunTally()
    await desk.coordinator.store_batch_results(run, 1, older, tally)
    await desk.queue.drain()
    assert tally.counts()["betpawa"].overtaken == 1
    assert await desk.home_prices() == [2100, 1999]


async def test_two_stores_at_once_keep_one_order(desk: DatabaseDesk) -> None:
    """Two batches of the same event stored concurrently: history is in the order of observation."""
    await desk.cycle()
    run = desk.context.runs.begin(desk.context.runs.newest()[0].kind)
    desk.gate.awaits_after = 5
    stores = []
    for price in (2050, 2060, 2070):
        desk.clock.advance(1)
        desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices(price))
        results = await desk.coordinator.scrape_batch(run, [_target(desk)])
        store = desk.coordinator.store_batch_results(run, 1, results, RunTally())
        stores.append(asyncio.create_task(store))
        await asyncio.sleep(0)
    await asyncio.gather(*stores)
    await desk.queue.drain()
    assert await desk.home_prices() == [2100, 2050, 2060, 2070]


async def test_a_confirmation_that_finds_nothing_is_made_good(desk: DatabaseDesk) -> None:
    """Where the database lost a snapshot, the next confirmation notices and the one after writes it again."""
    await desk.cycle()
    async with desk.engine.begin() as connection:
        await connection.execute(text("delete from odds_snapshots"))
    await desk.cycle()
    await desk.cycle()
    assert await desk.home_prices() == [2100]


async def test_integrity_finds_what_the_database_lost(desk: DatabaseDesk) -> None:
    """Cache and database agree after a cycle; a market that the database lost or gained is found and counted."""
    await desk.cycle()
    repository = PostgresWarmupRepository(desk.engine, NUMBERS)
    check = IntegrityCheck(desk.cache, desk.context.book, repository, desk.context.catalogue, desk.clock, desk.queue)
    report = await check.run()
    assert (report.compared, report.lost, report.extra) == (2, 0, 0)
    async with desk.engine.begin() as connection:
        await connection.execute(text("delete from latest_odds where bookmaker_id = 1"))
    assert (await check.run()).lost == 1
    desk.cache.evict([1])
    assert (await check.run()).extra == 1
    assert check.last is not None


async def test_integrity_follows_an_event_past_its_start(desk: DatabaseDesk) -> None:
    """An event in play is compared as long as it is cached; that the database keeps it after that is no finding."""
    await desk.cycle()
    repository = PostgresWarmupRepository(desk.engine, NUMBERS)
    check = IntegrityCheck(desk.cache, desk.context.book, repository, desk.context.catalogue, desk.clock, desk.queue)
    event = desk.context.book.event(1)
    assert event is not None
    desk.clock.advance((event.kickoff - desk.clock.now()).total_seconds() + 60)
    assert await counts(check) == (2, 0, 0)
    async with desk.engine.begin() as connection:
        await connection.execute(text("delete from latest_odds where bookmaker_id = 1"))
    assert await counts(check) == (2, 1, 0)
    desk.context.book.drop_started(desk.clock.now(), desk.clock.monotonic(), timedelta(0))
    desk.cache.evict([1])
    assert await counts(check) == (0, 0, 0)


async def counts(check: IntegrityCheck) -> tuple[int, int, int]:
    """Return what a comparison counts."""
    report = await check.run()
    return report.compared, report.lost, report.extra


async def test_an_unknown_event_is_refused(desk: DatabaseDesk) -> None:
    """Scraping an event that nobody lists is an error of its own."""
    with pytest.raises(UnknownEventError):
        await desk.coordinator.scrape_event(4711)


async def test_a_cancelled_cycle_ends_as_interrupted(desk: DatabaseDesk) -> None:
    """A cycle that is cancelled stores its run as interrupted."""
    desk.books["betpawa"].gates["p1"] = asyncio.Event()
    control = ScrapeController(desk.coordinator, desk.context, timedelta(seconds=5))
    control.start_cycle()
    await desk.books["betpawa"].asked.wait()
    await control.cancel_cycle()
    await desk.queue.drain()
    assert await desk.rows("select status from scrape_runs") == [("interrupted",)]


async def test_storage_progress_carries_every_timing(desk: DatabaseDesk) -> None:
    """The storage event names each step's time and counts both roles."""
    seen: list[Mapping[str, object]] = []
    with desk.context.progress.listening(lambda event: seen.append(msgspec.to_builtins(event))):
        await desk.cycle()
    stored = next(event for event in seen if "queue_enqueue_ms" in event)
    timings = {name for name in stored if name.endswith("_ms")}
    assert timings == {
        "lookups_ms", "processing_ms", "change_detection_ms", "cache_update_ms", "queue_enqueue_ms",
        "storage_flush_ms", "storage_commit_ms", "blocking_ms",
    }  # fmt: skip
    assert (stored["changed_bp"], stored["changed_comp"], stored["unchanged_bp"]) == (1, 1, 0)


def _target(desk: DatabaseDesk) -> EventTarget:
    (target,) = choose_targets(desk.book, desk.clock.now(), None, frozenset({"betpawa"}))
    return target


async def test_logs_lead_from_a_run_to_its_commits(desk: DatabaseDesk) -> None:
    """Fetches name run and batch, a batch its place in the write order, a commit the places that it covers."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        run = await desk.cycle()
    of = {name: [one for one in events if one["event"] == name] for name in {one["event"] for one in events}}
    fetches = {(one["run"], one["batch_index"], one["bookmaker"], one["sr_id"]) for one in of["event_fetched"]}
    assert fetches == {(run.run_id, 1, slug, 1) for slug in desk.books}
    batch = next(one for one in of["write_batch_enqueued"] if one["batch_index"] == 1)
    assert (batch["run"], batch["changed"]) == (run.run_id, 2)
    committed = [(one["seq"] - one["batches"] + 1, one["seq"], one["runs"]) for one in of["write_batch_committed"]]
    assert [runs for first, last, runs in committed if first <= batch["seq"] <= last] == [[run.run_id]]
    of_the_run = [*of["discovery_finished"], *of["batch_stored"], *of["run_finished"]]
    assert {one["run"] for one in of_the_run} == {run.run_id}
