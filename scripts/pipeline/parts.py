"""The parts of a benchmark, one after the other, each in a directory of its own."""

import sys
from datetime import datetime
from pathlib import Path

import msgspec

from overround.simulator.latency import LatencyProfile
from scripts.pipeline.efficiency import bounds_ms, efficiency
from scripts.pipeline.faulty import under_faults
from scripts.pipeline.independence import independence
from scripts.pipeline.limits import limits, writer
from scripts.pipeline.machine import this_machine
from scripts.pipeline.records import Check, Extent
from scripts.pipeline.results import Condition, Growth, Limits, Results, Writer
from scripts.pipeline.run import PipelineRun, measured_run

_BASELINE_CYCLES = 3
_OBSERVED_CYCLES = 2
_WRITER_CYCLES = 6


class Parts:
    """Measures an extent part by part; says on stderr which."""

    def __init__(self, extent: Extent, directory: Path, growth: Growth | None) -> None:
        self._extent = extent
        self._growth = growth
        self._directory = directory

    async def all(self, at: datetime) -> Results:
        """Measure everything."""
        alone = await self.pipeline(at)
        observed = await self._observed()
        return msgspec.structs.replace(
            alone,
            limits=await self._limits(alone.run.idle.bytes),
            writer=await self._writer(),
            baseline=await self._baseline(),
            independence=await self._independence(),
            faulty=await self._faulty(),
            observed=observed,
            efficiency=efficiency(observed),
            bounds_ms=bounds_ms(observed),
        )

    async def pipeline(self, at: datetime) -> Results:
        """Measure the pipeline, and nothing to compare it with."""
        machine = this_machine()
        _say("pipeline")
        run = await measured_run(self._extent, self._directory / "pipeline")
        return Results(at=at, machine=machine, run=run, growth=self._growth)

    async def _baseline(self) -> PipelineRun:
        """Run fewer cycles of the same market with the handler awaited inline; the oracle has seen these ticks."""
        _say("synchronous baseline")
        fewer = msgspec.structs.replace(self._extent, cycles=min(self._extent.cycles, _BASELINE_CYCLES))
        return await measured_run(fewer, self._directory / "synchronous", asynchronous=False, oracle=False)

    async def _observed(self) -> PipelineRun:
        _say("observed latencies, default limits")
        cycles = min(self._extent.cycles, _OBSERVED_CYCLES)
        observed = msgspec.structs.replace(self._extent, cycles=cycles, latency=LatencyProfile.OBSERVED)
        return await measured_run(observed, self._directory / "observed", oracle=False)

    async def _independence(self) -> tuple[Condition, ...]:
        _say("slow and stopped database")
        return tuple(await independence(self._extent, self._directory / "independence"))

    async def _faulty(self) -> tuple[Check, ...]:
        _say("oracle with faults switched on")
        return await under_faults(self._extent)

    async def _limits(self, page_bytes: int) -> Limits:
        _say("limits of this machine")
        return await limits(self._extent, page_bytes)

    async def _writer(self) -> Writer:
        _say("write handler")
        return await writer(self._extent.events, _WRITER_CYCLES)


def _say(part: str) -> None:
    sys.stderr.write(f"measuring: {part}\n")
    sys.stderr.flush()
