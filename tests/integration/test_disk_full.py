"""The service on a journal whose disk is full: it says so, loses nothing, and goes on by itself when there is room."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from overround.db.repositories import BookmakerRepository
from overround.errors import JournalWriteError
from overround.records.batch import RunKind, WriteBatch
from overround.testing import FakeDisk
from overround.wiring import Queue
from tests.support.database_desk import NUMBERS, DatabaseDesk
from tests.support.desk import listing, result_prices
from tests.support.service import Api, running_api

_ROOM = 4_000_000
Reasons = list[str]


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service's data are, and how to leave it no room there, and some again."""

    data_dir: Path
    fill: Callable[[], None]
    free: Callable[[], None]


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Volume]:
    """Yield a small file system in memory where we may mount one, else let the journal have a faked disk."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "overround-test", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:  # noqa: S603 - fixed words
        disk = FakeDisk()
        monkeypatch.setattr("overround.wiring.LocalDisk", lambda _: disk)

        def fill() -> None:
            disk.capacity = disk.used

        def free() -> None:
            disk.capacity = None

        yield Volume(data_dir=tmp_path, fill=fill, free=free)
        return
    ballast = tmp_path / "ballast"
    try:
        yield Volume(data_dir=tmp_path / "data", fill=lambda: _fill(ballast), free=ballast.unlink)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)  # noqa: S603, S607 - fixed words, the system's own tool


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            while _fits(file.fileno(), size):
                pass


def _fits(file: int, size: int) -> bool:
    try:
        return os.write(file, bytes(size)) > 0
    except OSError:
        return False


async def not_ready(api: Api) -> tuple[int, Reasons]:
    """Return what /health/ready says."""
    async with api.session.get("/health/ready") as response:
        return response.status, [reason["text"] for reason in (await response.json())["reasons"]]


async def refused(api: Api) -> bool:
    """Return whether the metrics say that the disk refuses."""
    async with api.session.get("/metrics") as response:
        return "overround_queue_journal_refused 1.0" in await response.text()


async def use_up(queue: Queue) -> None:
    """Let the journal take what still fits into the blocks that it has."""
    with pytest.raises(JournalWriteError):
        await _without_end(queue)


async def _without_end(queue: Queue) -> None:
    while True:
        await queue.enqueue(WriteBatch(scrape_run_id=1, batch_index=0))


@asynccontextmanager
async def held_up(engine: AsyncEngine) -> AsyncIterator[None]:
    """Let the writer wait, so that nothing is delivered and makes room."""
    async with engine.begin() as connection:
        await connection.execute(text("lock table journal_watermarks in access exclusive mode"))
        yield


async def test_a_full_disk_is_shown_costs_nothing_and_passes(
    database_url: str, engine: AsyncEngine, volume: Volume
) -> None:
    """Full: not ready, in metrics and log, prices shown and unaccepted; with room again all of it is stored, once."""
    async with running_api(database_url, volume.data_dir) as api:
        service = api.service
        assert service.write_queue is not None
        async with held_up(engine):
            volume.fill()
            with capture_logs() as logs:
                await use_up(service.write_queue)
            run = await service.control.run_cycle()
        assert run.errors["storage"] > 0
        assert [log["errno"] for log in logs if log["event"] == "journal_write_failed"] == [28]
        code, reasons = await not_ready(api)
        assert (code, [reason for reason in reasons if "the journal's disk refuses writes" in reason]) == (503, reasons)
        assert await refused(api)
        assert (await api.get("/health/live"))["status"] == "live"
        events = await api.get("/api/events")
        assert events["total"] > 0
        unaccepted = service.context.cache.stats().unaccepted
        assert unaccepted == service.context.cache.stats().snapshots > 0

        volume.free()
        with capture_logs() as logs:
            await api.cycle()
        assert "journal_write_resumed" in [log["event"] for log in logs]
        assert await not_ready(api) == (200, [])
        assert not await refused(api)
        assert service.context.cache.stats().unaccepted == 0
        report = await service.integrity.run()
        facts = await service.database.facts.facts()
        assert (report.lost, report.extra, facts.doubled, facts.odds_snapshots) == (0, 0, 0, unaccepted)


async def test_a_run_that_was_cut_off_is_closed_when_the_disk_takes_it(engine: AsyncEngine) -> None:
    """A full disk at start does not keep the service from starting; the run is closed with the next one."""
    await BookmakerRepository(engine).register({number: (slug, slug.title()) for slug, number in NUMBERS.items()})
    desk = DatabaseDesk(engine)
    desk.books["betpawa"].offer(listing("betpawa", "p1"), result_prices())
    await desk.journal.open()
    await desk.queue.start()
    open_run = desk.context.runs.begin(RunKind.CYCLE)
    desk.gate.refusals = [JournalWriteError("a file", OSError(28, "No space left on device"))]
    await desk.coordinator.close_open_runs()
    await desk.cycle()
    stored = await desk.rows("select status from scrape_runs where id = :run", run=open_run.run_id)
    assert stored == [("interrupted",)]
    await desk.queue.stop(5)
    await desk.journal.close()
