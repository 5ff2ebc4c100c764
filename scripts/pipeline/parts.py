"""The parts of a benchmark, one after the other, each in a directory of its own."""

import sys
from datetime import datetime
from pathlib import Path

import msgspec

from scripts.pipeline.machine import this_machine
from scripts.pipeline.records import Extent
from scripts.pipeline.results import Results
from scripts.pipeline.run import PipelineRun, measured_run

_BASELINE_CYCLES = 3


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured beside the pipeline itself."""

    baseline: bool = True

    @classmethod
    def pipeline(cls) -> "Parts":
        """Return nothing but the pipeline."""
        return cls(baseline=False)


async def measure(extent: Extent, parts: Parts, directory: Path, at: datetime) -> Results:
    """Measure everything that is asked for."""
    machine = this_machine()
    _say("pipeline")
    run = await measured_run(extent, directory / "asynchronous")
    baseline = await _baseline(extent, directory) if parts.baseline else None
    return Results(at=at, machine=machine, run=run, baseline=baseline)


async def _baseline(extent: Extent, directory: Path) -> PipelineRun:
    """Run fewer cycles of the same market with the handler awaited inline; the oracle has seen these ticks already."""
    _say("synchronous baseline")
    fewer = msgspec.structs.replace(extent, cycles=min(extent.cycles, _BASELINE_CYCLES))
    return await measured_run(fewer, directory / "synchronous", asynchronous=False, oracle=False)


def _say(part: str) -> None:
    sys.stderr.write(f"measuring: {part}\n")
    sys.stderr.flush()
