"""The measured process: the real service with its API, told by lines on stdin when to run a cycle.

Each line is a command, each line on stdout the answer; the process ends with its stdin.
"""

import asyncio
import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import msgspec
import psutil
import uvicorn

from benchmarks.pipeline import bare_route
from benchmarks.pipeline.records import Command, CycleRecord, Drain, DrainRecord, Ready, ServiceOptions, spread
from benchmarks.pipeline.watching import Watch
from overround import runtime as process
from overround.api.app import create_app
from overround.cli.web_server import listening
from overround.clock import OffsetClock
from overround.errors import ErrorClass
from overround.logs import configure_logs
from overround.records.batch import ScrapeRun
from overround.settings import BookmakerSettings, Settings
from overround.streaming.progress import Discovered, Progress, Scraped, Stored
from overround.wiring import Service, running_database, running_service

_MB = 1024 * 1024
_PAGE_BYTES = 280_000  # about what a first page of 50 events has
_NEVER = timedelta(hours=1)
_PATIENCE = 120.0  # seconds: however busy the machine, no request is to fail of it
_commands = msgspec.json.Decoder(Command)


class _Notes:
    """What a run tells while it goes."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.fetches: dict[str, list[float]] = defaultdict(list)
        self.bytes = 0
        self.discovery_ms = 0.0

    def take(self, notification: Progress) -> None:
        """Keep a notification; stands in the scraper's way as little as it can."""
        if isinstance(notification, Scraped):
            self.bytes += notification.bytes
            if not notification.error_class:
                self.fetches[notification.bookmaker].append(notification.duration_ms)
        elif isinstance(notification, Stored):
            self.stored.append(notification)
        elif isinstance(notification, Discovered):
            self.discovery_ms = notification.duration_ms


class MeasuredService:
    """Carries out the driver's commands on a service."""

    def __init__(self, service: Service, clock: OffsetClock) -> None:
        self._service = service
        self._clock = clock
        self._process = psutil.Process()

    async def obey(self, command: Command) -> msgspec.Struct:
        """Carry out a command and return the answer."""
        if isinstance(command, Drain):
            return await self._drain()
        self._clock.move_to(command.at)
        return await self._cycle()

    def rss_mb(self) -> float:
        """Return the resident memory of this process."""
        return round(float(self._process.memory_info().rss) / _MB, 1)

    async def _cycle(self) -> CycleRecord:
        service, notes, watch = self._service, _Notes(), Watch(self._pending)
        cpu, began = _cpu_seconds(), self._clock.monotonic()
        async with watch.watching():
            with service.context.progress.listening(notes.take):
                run = await service.control.run_cycle()
        duration_ms = (self._clock.monotonic() - began) * 1000
        return self._record(run, notes, watch, duration_ms, _cpu_seconds() - cpu)

    def _record(self, run: ScrapeRun, notes: _Notes, watch: Watch, duration_ms: float, cpu: float) -> CycleRecord:
        detail = self._service.control.detail(run.run_id)
        return CycleRecord(
            run_id=run.run_id,
            status=run.status.value,
            events=run.events,
            not_stored=run.errors.get(ErrorClass.STORAGE, 0),
            duration_ms=round(duration_ms, 1),
            discovery_ms=notes.discovery_ms,
            scraping_ms=0.0 if detail is None else detail.scraping_ms,
            counts=run.counts,
            stored=tuple(notes.stored),
            fetches={slug: spread(durations) for slug, durations in sorted(notes.fetches.items())},
            fetched_bytes=notes.bytes,
            stalls=spread(watch.lateness_ms),
            busy=spread(watch.busy_ms),
            queue_depth=spread(watch.depths),
            pending_after=self._pending(),
            cpu_seconds=round(cpu, 3),
            rss_mb=self.rss_mb(),
        )

    async def _drain(self) -> DrainRecord:
        queue, began = self._service.write_queue, self._clock.monotonic()
        if queue is not None:
            await queue.drain()
        duration_ms = round((self._clock.monotonic() - began) * 1000, 1)
        return DrainRecord(duration_ms=duration_ms, queue=queue.stats() if queue else None, rss_mb=self.rss_mb())

    def _pending(self) -> int:
        queue = self._service.write_queue
        return queue.stats().pending if queue is not None else 0


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _settings(options: ServiceOptions) -> Settings:
    given = Settings()
    interval = None if options.polite else 0
    return given.with_values(
        data_dir=Path(options.data_dir),
        database_url=options.database_url,
        asynchronous_writes=options.asynchronous,
        bookmakers={
            slug: BookmakerSettings(base_url=url, min_interval_ms=interval, timeout=_PATIENCE)
            for slug, url in options.base_urls.items()
        },
        scraping=given.scraping.model_copy(
            update={
                "horizon": None,
                "batch_size": options.batch_size,
                "store_within": _NEVER if options.whole_batches else given.scraping.store_within,
                "retry_base": timedelta(milliseconds=10),
            }
        ),
        schedule=given.schedule.model_copy(update={"enabled": False}),
        queue=given.queue.model_copy(update={"retry_cap": timedelta(seconds=1)}),
    )


@contextlib.asynccontextmanager
async def _serving(service: Service) -> AsyncIterator[int]:
    app = bare_route.beside(create_app(lambda: nullcontext(service)), _PAGE_BYTES)
    config = uvicorn.Config(app, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        task = asyncio.create_task(server.serve([listener]), name="api")
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def _obey_stdin(options: ServiceOptions) -> None:
    settings, clock = _settings(options), OffsetClock(options.starts_at)
    async with (
        running_database(settings) as database,
        running_service(settings, database, clock) as service,
        _serving(service) as port,
    ):
        measured = MeasuredService(service, clock)
        _say(Ready(port=port, rss_mb=measured.rss_mb()))
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await measured.obey(_commands.decode(line)))


def _say(answer: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until stdin ends; the only argument is the options as JSON."""
    configure_logs("critical")
    process.run(_obey_stdin(msgspec.json.decode(sys.argv[1], type=ServiceOptions)))


if __name__ == "__main__":
    main()
