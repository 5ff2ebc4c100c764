"""One measured run: a cold cycle, warm ones, the queue drained after each, everything verified at the end."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.pipeline.asking import EVENTS, LAST_EVENTS, Answers, Encoded, Meanwhile, ask, ask_each, until_encoded
from benchmarks.pipeline.integrity import History, api_equals_database, cache_equals_database, stored_as_detected
from benchmarks.pipeline.records import Check, CycleRecord, DrainRecord, Extent, ServiceOptions, Spread, spread
from benchmarks.pipeline.stage import (
    Database,
    MarketTime,
    ServiceProcess,
    running_bookmakers,
    running_measured,
    running_server,
    service_options,
)
from benchmarks.pipeline.volume import Volume, change_to_committed, volume
from overround.clock import SystemClock
from overround.simulator.server.child import SimulatorHandle

_IDLE_REQUESTS = 200


class PipelineRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one service; the first cycle is the cold one. `cpu_seconds` are of the warm cycles.

    `during`, `page_event_during`, `any_event_during`, `packed_event_during`, `bare_during`: answers of the first page,
    of its events, of any event as it is and as gzip, and of a bare route in the same process, in the last cycle, in
    milliseconds; all but the first only with observed latencies. `encoded`: what the service did by itself after the
    cold cycle. `event_unasked`: of events that nobody had asked for, and nothing else going on.
    """

    extent: Extent
    asynchronous: bool
    cycles: tuple[CycleRecord, ...]
    drains: tuple[DrainRecord, ...]
    grown_cold: Volume
    grown_warm: Volume
    to_committed: Spread
    idle: Answers
    during: Spread
    page_event_during: Spread
    any_event_during: Spread
    packed_event_during: Spread
    bare_during: Spread
    encoded: Encoded = Encoded()
    event_unasked: Spread
    restart_seconds: float
    cpu_seconds: dict[str, float]
    checks: tuple[Check, ...]

    @property
    def warm(self) -> Sequence[CycleRecord]:
        """Return the cycles after the first."""
        return self.cycles[1:]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The processes around a service."""

    simulator: SimulatorHandle
    database: Database
    engine: AsyncEngine
    data_dir: Path


@asynccontextmanager
async def running_stage(extent: Extent, data_dir: Path) -> AsyncIterator[Stage]:
    """Run simulator and database."""
    async with (
        running_bookmakers(extent) as simulator,
        running_server(data_dir) as database,
        database.engine() as engine,
    ):
        yield Stage(simulator=simulator, database=database, engine=engine, data_dir=data_dir)


async def measured_run(
    extent: Extent, data_dir: Path, *, asynchronous: bool = True, oracle: bool = True
) -> PipelineRun:
    """Run the cycles of an extent on a database of their own."""
    async with running_stage(extent, data_dir) as stage:
        market = MarketTime(stage.simulator)
        options = service_options(
            stage.simulator, stage.database, data_dir, extent, market.instant(0), asynchronous=asynchronous
        )
        async with running_measured(options) as service:
            course = _Course(extent, stage, service, market)
            await course.all_cycles(extent.cycles + 1)
            checks = [*await stored_as_detected(stage.engine, course.cycles), *await _served(stage, service)]
            await until_encoded(service.address)
            idle = await ask(service.address, EVENTS, _IDLE_REQUESTS)
            event_unasked = await ask_each(service.address, LAST_EVENTS)
        if oracle:
            checks += await History(extent, course.ticks).checks(stage.engine, course.cycles)
        again = msgspec.structs.replace(options, starts_at=market.instant(market.tick))
        restart_seconds = await _restart_seconds(again)
        delays = await change_to_committed(stage.engine, course.cycles[0].run_id)
    return PipelineRun(
        extent=extent,
        asynchronous=asynchronous,
        cycles=tuple(course.cycles),
        drains=tuple(course.drains),
        grown_cold=course.volumes[1].since(course.volumes[0]),
        grown_warm=course.volumes[-1].since(course.volumes[1]),
        to_committed=delays,
        idle=idle,
        during=spread(course.meanwhile.pages),
        page_event_during=spread(course.meanwhile.page_events),
        any_event_during=spread(course.meanwhile.any_events),
        packed_event_during=spread(course.meanwhile.packed_events),
        bare_during=spread(course.meanwhile.bare),
        encoded=course.encoded,
        event_unasked=event_unasked,
        restart_seconds=restart_seconds,
        cpu_seconds=course.cpu_seconds(),
        checks=tuple(checks),
    )


class _Course:
    """Cycle after cycle, and what is noted between them."""

    def __init__(self, extent: Extent, stage: Stage, service: ServiceProcess, market: MarketTime) -> None:
        self._extent = extent
        self._stage = stage
        self._service = service
        self._market = market
        self._cpu: list[dict[str, float]] = []
        self.ticks: dict[int, int] = {}
        self.cycles: list[CycleRecord] = []
        self.drains: list[DrainRecord] = []
        self.volumes: list[Volume] = []
        self.meanwhile = Meanwhile()
        self.encoded = Encoded()

    async def all_cycles(self, number: int) -> None:
        """Run the cycles; the API is asked during the last warm one alone, so that the others are undisturbed.

        After the cold one the service is left alone until it has encoded its events: there are minutes in real life.
        """
        self.volumes.append(await volume(self._stage.engine))
        for index in range(number):
            if index == number - 1:
                observed = self._extent.latency == "observed"
                async with self.meanwhile.asking(self._service.address, events=observed):
                    await self._one()
            else:
                await self._one()
            if not index:
                self.encoded = await until_encoded(self._service.address)

    def cpu_seconds(self) -> dict[str, float]:
        """Return what the processes used in the warm cycles."""
        return {name: round(self._cpu[-1][name] - self._cpu[0][name], 2) for name in self._cpu[0]}

    async def _one(self) -> None:
        at = await self._market.next()
        record = await self._service.cycle(at)
        self.ticks[record.run_id] = self._market.tick
        self.cycles.append(record)
        self.drains.append(await self._service.drain())
        sys.stderr.write(f"  cycle {record.run_id}: {record.events} events in {record.duration_ms / 1000:.1f} s\n")
        self.volumes.append(await volume(self._stage.engine))
        self._cpu.append(_cpu_by_process(self._service.pid))


async def _served(stage: Stage, service: ServiceProcess) -> list[Check]:
    return [
        await cache_equals_database(service.address),
        await api_equals_database(service.address, stage.engine),
    ]


async def _restart_seconds(options: ServiceOptions) -> float:
    """Start the service once more on what is stored; return the time from its start to its first page of events."""
    clock = SystemClock()
    began = clock.monotonic()
    async with running_measured(options) as service:
        answers = await ask(service.address, EVENTS, 1)
        took = clock.monotonic() - began
    return round(took, 2) if answers.bytes else 0.0


def _cpu_by_process(service: int) -> dict[str, float]:
    """Return the CPU seconds so far of the service, the simulator and PostgreSQL."""
    used = {"service": 0.0, "simulator": 0.0, "PostgreSQL": 0.0}
    for process in psutil.Process().children(recursive=True):
        try:
            command, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.Error:
            continue
        if process.pid == service:
            used["service"] += times.user + times.system
        elif "overround.simulator.server.loopback" in command:
            used["simulator"] += times.user + times.system
        elif "postgres" in command:
            used["PostgreSQL"] += times.user + times.system + times.children_user + times.children_system
    return used
