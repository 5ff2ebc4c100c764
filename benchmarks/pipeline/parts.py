"""The parts of a benchmark, one after the other, each in a directory of its own."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.pipeline.efficiency import bounds_ms, efficiency
from benchmarks.pipeline.faulty import under_faults
from benchmarks.pipeline.independence import independence
from benchmarks.pipeline.limits import limits, writer
from benchmarks.pipeline.machine import this_machine
from benchmarks.pipeline.records import Extent
from benchmarks.pipeline.results import Growth, Results
from benchmarks.pipeline.run import measured_run
from overround.errors import OverroundError
from overround.simulator.server.latency import LatencyProfile

PARTS: Final = ("pipeline", "limits", "independence", "observed", "baseline", "faulty", "writer")

_BASELINE_CYCLES = 1
_OBSERVED_CYCLES = 1
_WRITER_CYCLES = 6


class Parts:
    """Measures an extent part by part; says on stderr which, and notes how busy the machine was before each."""

    def __init__(self, extent: Extent, directory: Path, growth: Growth | None) -> None:
        self._extent = extent
        self._growth = growth
        self._directory = directory

    async def measured(self, names: Collection[str], before: Results | None, at: datetime) -> AsyncIterator[Results]:
        """Measure these parts; after each, yield all that there is, with what was measured before.

        Raises:
            OverroundError: there is nothing that the parts could be added to.
        """
        results = before
        if "pipeline" in names:
            results = await self._pipeline(at)
        if results is None or results.run.extent != self._extent:
            raise OverroundError("parts are added to a report of the pipeline of the same extent: measure that first")
        yield results
        for name, part in self._additions().items():
            if name in names:
                load = self._begin(name)
                found = await part(results)
                results = msgspec.structs.replace(results, **found, loads={**results.loads, name: load})
                yield results

    def _additions(self) -> Mapping[str, Callable[[Results], Awaitable[Mapping[str, Any]]]]:
        return {
            "limits": self._limits,
            "independence": self._independence,
            "observed": self._observed,
            "baseline": self._baseline,
            "faulty": self._faulty,
            "writer": self._writer,
        }

    async def _pipeline(self, at: datetime) -> Results:
        machine, load = this_machine(), self._begin("pipeline")
        run = await measured_run(self._extent, self._directory / "pipeline")
        return Results(at=at, machine=machine, run=run, growth=self._growth, loads={"pipeline": load})

    async def _baseline(self, _: Results) -> Mapping[str, Any]:
        """Run fewer cycles of the same market with the handler awaited inline; the oracle has seen these ticks."""
        fewer = msgspec.structs.replace(self._extent, cycles=min(self._extent.cycles, _BASELINE_CYCLES))
        run = await measured_run(fewer, self._directory / "synchronous", asynchronous=False, oracle=False)
        return {"baseline": run}

    async def _observed(self, _: Results) -> Mapping[str, Any]:
        cycles = min(self._extent.cycles, _OBSERVED_CYCLES)
        observed = msgspec.structs.replace(self._extent, cycles=cycles, latency=LatencyProfile.OBSERVED)
        run = await measured_run(observed, self._directory / "observed", oracle=False)
        return {"observed": run, "efficiency": efficiency(run), "bounds_ms": bounds_ms(run)}

    async def _independence(self, _: Results) -> Mapping[str, Any]:
        return {"independence": tuple(await independence(self._extent, self._directory / "independence"))}

    async def _faulty(self, _: Results) -> Mapping[str, Any]:
        return {"faulty": await under_faults(self._extent)}

    async def _limits(self, results: Results) -> Mapping[str, Any]:
        return {"limits": await limits(self._extent, results.run.idle.bytes)}

    async def _writer(self, _: Results) -> Mapping[str, Any]:
        return {"writer": await writer(self._extent.events, _WRITER_CYCLES)}

    def _begin(self, part: str) -> float:
        sys.stderr.write(f"measuring: {part}\n")
        sys.stderr.flush()
        return round(os.getloadavg()[0], 2)
