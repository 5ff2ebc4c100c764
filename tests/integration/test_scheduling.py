"""The schedule: cycles by themselves, two tiers, pause and resume, one at a time, the watchdog."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from overround.caching.odds_cache import OddsCache
from overround.clock import SystemClock
from overround.errors import RunInProgressError
from overround.records.batch import RunKind, RunStatus, ScrapeRun, WriteBatch
from overround.records.writing import JournalEntry, QueueStats, fill_state
from overround.scheduling.jobs import scrape_all_platforms
from overround.scheduling.scheduler import SchedulePlan, ScrapeScheduler
from overround.scraping.on_demand import ScrapeController
from tests.support.desk import KICKOFF, Desk, listing, result_prices


class Jobs:
    """A job state around a desk that writes nowhere."""

    def __init__(self, desk: Desk) -> None:
        self.write_queue: FullQueue | None = None
        self.odds_cache: OddsCache = desk.cache
        self.control = ScrapeController(desk.coordinator, desk.context, timedelta(seconds=5))


@pytest.fixture
def desk() -> Desk:
    """Return a desk with one match near its kick-off and one far from it."""
    desk = Desk("betpawa")
    desk.books["betpawa"].offer(listing("betpawa", "far", 1), result_prices())
    near = KICKOFF - timedelta(hours=4)
    desk.books["betpawa"].offer(listing("betpawa", "near", 2, kickoff=near), result_prices())
    return desk


@pytest.fixture
async def running(desk: Desk) -> AsyncIterator[ScrapeScheduler]:
    """Yield a running schedule: short intervals of a second, a full cycle now and then in an hour."""
    plan = SchedulePlan(
        short_interval=timedelta(seconds=1), long_interval=timedelta(hours=1), stuck_after=timedelta(minutes=1)
    )
    jobs = Jobs(desk)
    scheduler = ScrapeScheduler(plan, jobs, SystemClock())
    scheduler.start()
    yield scheduler
    scheduler.stop()
    await jobs.control.cancel_cycle()


async def runs_until(desk: Desk, count: int) -> Sequence[ScrapeRun]:
    """Wait until so many runs have ended; return them, oldest first."""
    ended: asyncio.Event = asyncio.Event()

    def listener(_: object) -> None:
        if sum(run.finished_at is not None for run in desk.context.runs.newest()) >= count:
            ended.set()

    with desk.context.progress.listening(listener):
        async with asyncio.timeout(20):
            await ended.wait()
    return tuple(reversed(desk.context.runs.newest()))


async def test_the_first_cycle_is_full_and_the_next_is_near(desk: Desk, running: ScrapeScheduler) -> None:
    """At once everything is scraped; a short interval later only what is close to its kick-off."""
    first, second = (await runs_until(desk, 2))[:2]
    assert (first.kind, first.events) == (RunKind.CYCLE, 2)
    assert (second.kind, second.events) == (RunKind.NEAR, 1)
    assert desk.books["betpawa"].fetched[:3].count("far") == 1
    assert running.status().running


async def test_a_paused_schedule_tells_no_next_run(running: ScrapeScheduler) -> None:
    """Paused there is no next run, resumed there is."""
    running.pause()
    assert (running.status().paused, running.status().seconds_to_next_run) == (True, None)
    running.resume()
    assert running.status().seconds_to_next_run is not None


async def test_cycles_never_overlap(desk: Desk) -> None:
    """While a cycle is under way, the job skips its turn and says so."""
    desk.books["betpawa"].gates["far"] = asyncio.Event()
    jobs = Jobs(desk)
    run_id = jobs.control.start_cycle()
    with capture_logs() as logs:
        assert await scrape_all_platforms(jobs) is None
    assert logs == [{"event": "cycle_skipped", "log_level": "warning", "kind": RunKind.CYCLE, "under_way": run_id}]
    with pytest.raises(RunInProgressError):
        jobs.control.start_cycle()
    await jobs.control.cancel_cycle()


async def test_every_cycle_reports_queue_and_cache(desk: Desk) -> None:
    """After a cycle the log tells how the queue and the cache stand."""
    with capture_logs() as logs:
        run = await scrape_all_platforms(Jobs(desk))
    assert run is not None
    report = next(log for log in logs if log["event"] == "write_queue_post_scrape")
    assert (report["run"], report["cache"]["snapshots"]) == (run.run_id, 2)


class FullQueue:
    """A write queue of which a test says how full it is."""

    def __init__(self) -> None:
        self.fill_percent = 0

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Take everything."""
        return JournalEntry(generation=uuid.UUID(int=1), seq=batch.batch_index + 1, position=0, body=b"")

    async def drain(self) -> None:
        """Have nothing pending."""

    def stats(self) -> QueueStats:
        """Return the fill level, and otherwise nothing."""
        return QueueStats(
            running=True,
            pending=0,
            pending_bytes=0,
            oldest_pending_seconds=0.0,
            accepted=0,
            written=0,
            retried=0,
            dead_lettered=0,
            snapshots_written=0,
            markets_written=0,
            confirmations_written=0,
            missed_confirmations=0,
            last_error="",
            fill_percent=self.fill_percent,
            fill=fill_state(self.fill_percent),
        )


@pytest.mark.parametrize(("percent", "cycles"), [(0, 4), (79, 4), (80, 2), (100, 2)])
async def test_polling_slows_down_while_the_journal_fills_up(desk: Desk, percent: int, cycles: int) -> None:
    """From 80 % on, every second turn of the schedule is left out."""
    queue = FullQueue()
    queue.fill_percent = percent
    jobs = Jobs(desk)
    jobs.write_queue = queue
    plan = SchedulePlan(
        short_interval=timedelta(minutes=1), long_interval=timedelta(minutes=1), stuck_after=timedelta(minutes=5)
    )
    scheduler = ScrapeScheduler(plan, jobs, desk.clock)
    for _ in range(4):
        desk.clock.advance(60)
        await scheduler._tick()
    assert len(desk.context.runs.newest()) == cycles


async def test_the_watchdog_ends_a_stuck_cycle(desk: Desk) -> None:
    """A cycle that has told nothing for too long is cancelled, and ends as interrupted."""
    desk.books["betpawa"].gates["far"] = asyncio.Event()
    jobs = Jobs(desk)
    plan = SchedulePlan(
        short_interval=timedelta(hours=1), long_interval=timedelta(hours=1), stuck_after=timedelta(minutes=5)
    )
    scheduler = ScrapeScheduler(plan, jobs, desk.clock)
    jobs.control.start_cycle()
    await desk.books["betpawa"].asked.wait()
    await scheduler._watch()
    assert jobs.control.idle_seconds() is not None
    desk.clock.advance(301)
    await scheduler._watch()
    assert jobs.control.idle_seconds() is None
    assert desk.context.runs.newest()[0].status is RunStatus.INTERRUPTED


async def test_open_runs_of_a_dead_process_are_closed(desk: Desk) -> None:
    """A run that an earlier process left open is interrupted at start."""
    desk.context.runs.begin(RunKind.CYCLE)
    await desk.coordinator.close_open_runs()
    assert [run.status for run in desk.context.runs.newest()] == [RunStatus.INTERRUPTED]
