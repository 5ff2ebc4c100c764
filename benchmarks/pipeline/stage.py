"""The processes of a benchmark: PostgreSQL, the simulator, and services that can be measured."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.pipeline.records import (
    Command,
    CycleRecord,
    Drain,
    DrainRecord,
    Extent,
    Ready,
    RunCycle,
    ServiceOptions,
)
from overround.clock import SystemClock
from overround.db.embedded import running_postgres
from overround.db.engine import create_engine, driver_connection
from overround.errors import OverroundError
from overround.simulator.model.parameters import EPOCH, TICK_SECONDS
from overround.simulator.server.arguments import options_from
from overround.simulator.server.child import SimulatorHandle, running_simulator

_LINE_LIMIT = 64 * 1024 * 1024
_START_SECONDS = 240
_STOP_SECONDS = 60
T = TypeVar("T")

_SLOW_COMMITS = """
create table if not exists benchmark_delay (seconds double precision not null);
create or replace function benchmark_wait() returns trigger language plpgsql as $$
begin
    perform pg_sleep(seconds) from benchmark_delay where seconds > 0;
    return null;
end $$;
drop trigger if exists benchmark_wait on journal_watermarks;
create constraint trigger benchmark_wait after update on journal_watermarks
deferrable initially deferred for each row execute function benchmark_wait();
delete from benchmark_delay;
"""


class Database:
    """An embedded PostgreSQL that can be stopped and started again at the same address, and slowed down."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._running = AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        """Start the server."""
        self.url = await self._running.enter_async_context(running_postgres(self._data_dir))

    async def stop(self) -> None:
        """Stop the server; its data stay."""
        await self._running.aclose()
        self._running = AsyncExitStack()

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[AsyncEngine]:
        """Yield an engine of the benchmark's own."""
        engine = create_engine(self.url, "overround benchmark")
        try:
            yield engine
        finally:
            await engine.dispose()

    async def slow_commits(self, seconds: float) -> None:
        """Let every transaction of the writer spend so long in its COMMIT, inside the server."""
        async with self.engine() as engine, driver_connection(engine) as connection:
            await connection.execute(_SLOW_COMMITS)
            await connection.execute("insert into benchmark_delay values ($1)", seconds)


@asynccontextmanager
async def running_server(data_dir: Path) -> AsyncIterator[Database]:
    """Run a PostgreSQL whose files are the caller's to remove."""
    database = Database(data_dir)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


class ServiceProcess:
    """A measured service."""

    def __init__(self, process: Process, ready: Ready, start_seconds: float) -> None:
        self._process = process
        self.ready = ready
        self.start_seconds = start_seconds

    @property
    def address(self) -> str:
        """Return where its API is."""
        return f"http://127.0.0.1:{self.ready.port}"

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    async def cycle(self, at: datetime) -> CycleRecord:
        """Run a cycle."""
        return await self._ask(RunCycle(at=at), CycleRecord)

    async def drain(self) -> DrainRecord:
        """Wait until everything is committed."""
        return await self._ask(Drain(), DrainRecord)

    async def _ask(self, command: Command, kind: type[T]) -> T:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OverroundError("the measured service has no pipes")
        stdin.write(msgspec.json.encode(command) + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise OverroundError("the measured service is gone; what it said stands on stderr")
        return msgspec.json.decode(line, type=kind)


@asynccontextmanager
async def running_measured(options: ServiceOptions) -> AsyncIterator[ServiceProcess]:
    """Run a service in a process of its own."""
    clock = SystemClock()
    began = clock.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.pipeline.start", msgspec.json.encode(options).decode()),
        stdin=PIPE,
        stdout=PIPE,
        env=_environment(),
        limit=_LINE_LIMIT,
        start_new_session=True,
    )
    try:
        yield ServiceProcess(process, await _ready(process), clock.monotonic() - began)
    finally:
        await _end(process)


def _environment() -> Mapping[str, str]:
    """Return an environment in which Python keeps compiled modules, as it does by default: starts are measured."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def _ready(process: Process) -> Ready:
    stdout = process.stdout
    line = b"" if stdout is None else await asyncio.wait_for(stdout.readline(), _START_SECONDS)
    if not line:
        raise OverroundError("the measured service did not start; what it said stands on stderr")
    return msgspec.json.decode(line, type=Ready)


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class MarketTime:
    """The simulated market's ticks, and the instants that belong to them."""

    def __init__(self, simulator: SimulatorHandle) -> None:
        self._simulator = simulator
        self.tick = -1

    def instant(self, tick: int) -> datetime:
        """Return when a tick is."""
        return EPOCH + timedelta(seconds=TICK_SECONDS * max(tick, 0))

    async def next(self) -> datetime:
        """Move the market by a tick and return its instant."""
        self.tick = await self._simulator.go_to(self.tick + 1)
        return self.instant(self.tick)


@asynccontextmanager
async def running_bookmakers(extent: Extent) -> AsyncIterator[SimulatorHandle]:
    """Run the simulator of an extent."""
    options = options_from(
        seed=extent.seed,
        events=extent.events,
        epoch=EPOCH.isoformat(),
        tick_seconds=TICK_SECONDS,
        size=extent.size,
        latency=extent.latency,
    )
    async with running_simulator(options=options) as simulator:
        yield simulator


def service_options(
    simulator: SimulatorHandle,
    database: Database,
    data_dir: Path,
    extent: Extent,
    starts_at: datetime,
    *,
    asynchronous: bool = True,
    whole_batches: bool = False,
) -> ServiceOptions:
    """Return the options of a service on these processes."""
    urls: Mapping[str, str] = {slug: simulator.base_url(slug) for slug in simulator.listings}
    return ServiceOptions(
        base_urls=dict(urls),
        data_dir=str(data_dir),
        database_url=database.url,
        starts_at=starts_at,
        asynchronous=asynchronous,
        polite=extent.latency != "none",
        whole_batches=whole_batches,
        batch_size=extent.batch_size,
    )
