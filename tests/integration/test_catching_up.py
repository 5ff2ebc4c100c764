"""Taking over a large journal: the service answers meanwhile, scrapes nothing, and has the right prices afterwards."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from overround.clock import SystemClock
from overround.records.batch import EventScrapeStatus, RunKind, ScrapeOutcome, WriteBatch
from overround.records.writing import JournalEntry
from overround.scraping.start_up import SMALL_BACKLOG, CatchUp
from overround.settings import QueueSettings, Settings
from overround.simulator.server.child import SimulatorHandle, running_simulator
from overround.storage.batch_codec import encode_batch
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.memory import MemoryJournal
from overround.storage.journal.segmented import SegmentedJournal
from overround.testing import ManualClock
from tests.integration.write_data import MINUTE, batch, market, snapshot
from tests.support.desk import START, Desk
from tests.support.service import Api, replay_settings, replaying_service, serving

_ROOM = 64 << 20
_NOBODY = "postgresql://overround@/overround?host=/nowhere"
_LINE = 100_000  # characters that hardly compress: a batch of some fifty kilobytes

Prices = Mapping[tuple[int, str], object]


class HeldBack(SegmentedJournal):
    """A journal whose entries cannot be looked through before `open_up`; the writer reads it all the same."""

    opened_up: asyncio.Event

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Read; who does not wait for new entries waits for the door."""
        if not wait:
            await self.opened_up.wait()
        return await super().read(after, limit, wait=wait)


@pytest.fixture
async def simulator() -> AsyncIterator[SimulatorHandle]:
    """Yield bookmakers that serve recordings."""
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def opened_up(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Hold back the journals of services until this is set."""
    door = asyncio.Event()
    monkeypatch.setattr(HeldBack, "opened_up", door, raising=False)
    monkeypatch.setattr("overround.wiring.SegmentedJournal", HeldBack)
    return door


def shown(api: Api) -> Prices:
    """Return the prices of the cache."""
    return {(sr_id, slug): dict(cached.markets) for sr_id, slug, cached in api.service.context.cache}


async def a_cycle_without_database(settings: Settings, simulator: SimulatorHandle) -> Prices:
    """Let a service journal what the database never gets, and return the prices."""
    async with serving(lambda: replaying_service(settings, simulator)) as api:
        await api.service.control.run_cycle()
        return shown(api)


async def lengthen(data_dir: Path) -> None:
    """Let the journal grow beyond what a start waits for."""
    source = random.Random(1)  # noqa: S311 - test data is no secret
    journal = SegmentedJournal(LocalDisk(data_dir / "journal"), SystemClock(), max_bytes=_ROOM)
    await journal.open()
    while journal.stats().pending_bytes <= SMALL_BACKLOG:
        status = EventScrapeStatus(
            sr_id=1,
            bookmaker="betpawa",
            outcome=ScrapeOutcome.FAILED,
            scraped_at=SystemClock().now(),
            duration_ms=1,
            bytes=0,
            error_class=source.randbytes(_LINE // 2).hex(),
        )
        await journal.append(encode_batch(WriteBatch(scrape_run_id=1, batch_index=0, statuses=(status,))))
    await journal.close()


async def answer(api: Api, method: str, path: str) -> tuple[int, dict[str, object], str]:
    """Return status, content and Retry-After of an answer."""
    async with api.session.request(method, path) as response:
        return response.status, await response.json(), response.headers.get("Retry-After", "")


async def test_a_large_backlog_is_taken_over_while_the_service_answers(
    database_url: str, tmp_path: Path, simulator: SimulatorHandle, opened_up: asyncio.Event
) -> None:
    """Live at once and recovering, nothing scraped; ready with the journalled prices, though all was written before."""
    opened_up.set()
    settings = replay_settings(simulator, _NOBODY, tmp_path)
    at_once = settings.with_values(queue=QueueSettings(stop_deadline=timedelta(0)))
    before = await a_cycle_without_database(at_once, simulator)
    await lengthen(tmp_path)
    opened_up.clear()
    with_database = settings.with_values(database_url=database_url)
    async with serving(lambda: replaying_service(with_database, simulator)) as api:
        service = api.service
        assert service.write_queue is not None
        await service.write_queue.drain()
        cycle = asyncio.create_task(service.control.run_cycle())
        assert await api.get("/health/live") == {"status": "live", "reasons": []}
        code, health, _ = await answer(api, "GET", "/health/ready")
        assert (code, health["status"], health["percent"]) == (503, "recovering", 0)
        assert "takes over the journal: 0 %" in str(health["reasons"])
        status = await api.get("/api/status")
        assert (status["ready"], status["alerts"][0]["code"]) == (False, "recovering")
        assert status["recovery"]["batches"] > SMALL_BACKLOG // _LINE
        async with api.session.get("/metrics") as response:
            assert "overround_recovering 1.0" in await response.text()
        for path in ("/api/scrape/start", f"/api/scrape/event/{next(iter(before))[0]}", "/api/integrity"):
            code, problem, retry_after = await answer(api, "POST", path)
            assert (code, problem["code"], retry_after) == (503, "recovering", "5"), path
        assert (shown(api), service.context.runs.newest()) == ({}, ())

        opened_up.set()
        await service.catch_up.done.wait()
        assert shown(api) == before
        assert (await api.get("/health/ready"))["status"] == "ready"
        assert (await api.get("/api/status"))["recovery"] is None
        assert service.catch_up.progress.percent == 100
        run = await cycle
        assert {counts.changed for counts in run.counts.values()} == {0}
        await service.write_queue.drain()
        report = await service.integrity.run()
        assert (report.lost, report.extra) == (0, 0)


async def test_a_service_can_be_stopped_while_it_recovers(
    database_url: str, tmp_path: Path, simulator: SimulatorHandle, opened_up: asyncio.Event
) -> None:
    """Stopping does not wait for the cache; the next service takes over what the first did not."""
    await lengthen(tmp_path)
    settings = replay_settings(simulator, database_url, tmp_path)
    async with serving(lambda: replaying_service(settings, simulator)) as api:
        assert (await answer(api, "GET", "/health/ready"))[1]["status"] == "recovering"
    opened_up.set()
    async with serving(lambda: replaying_service(settings, simulator)) as api:
        assert (await api.get("/health/ready"))["status"] == "ready"


async def test_only_the_newest_snapshots_are_taken_over() -> None:
    """Of each event's states at a bookmaker the last counts, whatever its time; nothing else is decoded."""
    desk, journal = Desk(), MemoryJournal(ManualClock(), _ROOM)
    await journal.open()
    at = [START + number * MINUTE for number in range(4)]
    for journalled in (
        batch(snapshot(at[0], market(1, "", 1100, 1100, 1100)), snapshot(at[0], sr_id=8)),
        batch(snapshot(at[3], market(1, "", 1300, 1300, 1300)), run=41),
        batch(snapshot(at[2], market(1, "", 1200, 1200, 1200))),
    ):
        await journal.append(encode_batch(journalled))
    await journal.append(b"no batch")
    finished: list[bool] = []
    catch_up = CatchUp(journal, desk.context, asyncio.Event())

    async def finish() -> None:
        finished.append(catch_up.done.is_set())

    async with catch_up.running(finish):
        assert (catch_up.done.is_set(), finished) == (True, [False])
    (prices,) = desk.cache.event(7)["near"].markets.values()
    assert prices.prices == (1200, 1200, 1200)
    progress = catch_up.progress
    assert (progress.batches, progress.batches_read, progress.snapshots, progress.snapshots_taken) == (4, 4, 2, 2)
    assert progress.percent == 100
    assert desk.context.runs.begin(RunKind.CYCLE).run_id == 42
    await journal.close()
