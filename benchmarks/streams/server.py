"""The serving process of `benchmark_streams`: cycles over a simulated market, and when batches were journalled."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec
import psutil

from overround.api.app import create_app
from overround.bookmakers.registry import load_bookmakers
from overround.cli.market import DemoMarket, MarketRequest, running_market
from overround.cli.web_server import Stopping, listening, run_until_stopped, serve_app
from overround.logs import configure_logs
from overround.records.batch import WriteBatch
from overround.records.writing import JournalEntry
from overround.settings import BookmakerSettings, ScheduleSettings, ScrapingSettings, Settings
from overround.streaming import client as stream_client
from overround.wiring import Service, running_database, running_service

HOST: Final = "127.0.0.1"
SPORTS = ("football", "basketball", "tennis")


class Cycle(msgspec.Struct, frozen=True):
    """One cycle: how long it took, how many markets changed, and the memory at its end: of all, and of the log."""

    seconds: float
    markets_changed: int
    rss_mb: float
    log_mb: float


class Serving:
    """Runs cycles when the parent says so; what is asked for and told goes over a pipe."""

    def __init__(self, events: int, port: int, orders: Connection) -> None:
        self._events = events
        self._port = port
        self._orders = orders
        self._appended: dict[int, float] = {}

    async def run(self, stopping: Stopping) -> None:
        """Serve until a signal."""
        with tempfile.TemporaryDirectory(prefix="overround-bench-streams-") as folder:
            request = MarketRequest(events=self._events)
            async with running_market(Path(folder), request) as market, self._service(Path(folder), market) as service:
                if service.write_queue is not None:
                    service.write_queue.on_accepted(self._note)
                obeying = asyncio.create_task(self._obey(service, market))
                app = create_app(lambda: nullcontext(service))
                with listening(HOST, self._port) as listener:
                    await serve_app(app, stopping, listener, Path(folder))
                obeying.cancel()

    @asynccontextmanager
    async def _service(self, folder: Path, market: DemoMarket) -> AsyncIterator[Service]:
        settings = Settings(
            data_dir=folder,
            bookmakers={
                slug: BookmakerSettings(
                    base_url=market.simulator.base_url(slug), enabled=slug in market.simulator.listings
                )
                for slug in load_bookmakers()
            },
            scraping=ScrapingSettings(horizon=None, sports=SPORTS),
            schedule=ScheduleSettings(enabled=False),
        )
        async with (
            running_database(settings, ephemeral=True) as database,
            running_service(settings, database, market.clock) as service,
        ):
            yield service

    async def _obey(self, service: Service, market: DemoMarket) -> None:
        """Run as many cycles as the parent asks for each time, and tell how they went."""
        with suppress(EOFError):
            while cycles := await asyncio.to_thread(self._orders.recv):
                self._appended.clear()
                found = [await _cycle(service, market) for _ in range(cycles)]
                if service.write_queue is not None:
                    await service.write_queue.drain()
                self._orders.send((found, dict(self._appended)))

    async def _note(self, entry: JournalEntry, _: WriteBatch) -> None:
        # This clock is the same for all processes of the machine.
        self._appended[entry.seq] = time.perf_counter()


async def _cycle(service: Service, market: DemoMarket) -> Cycle:
    began = time.perf_counter()
    await market.next_cycle()
    run = await service.control.run_cycle()
    detail = service.control.detail(run.run_id)
    rss = psutil.Process().memory_info().rss / 2**20
    return Cycle(
        seconds=round(time.perf_counter() - began, 1),
        markets_changed=0 if detail is None else detail.markets_changed,
        rss_mb=round(rss, 1),
        log_mb=round(service.stream.log.bytes / 2**20, 1),
    )


def serve(events: int, port: int, buffer: int, orders: Connection) -> None:
    """Serve until SIGTERM; the main function of the process. `buffer` is how far behind a client may be, in bytes."""
    vars(stream_client)["BUFFER"] = buffer
    configure_logs("warning")
    run_until_stopped(Serving(events, port, orders).run)
