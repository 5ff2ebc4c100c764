"""Benchmark the whole pipeline, and write a report of it: `python -m benchmarks.pipeline --help`.

Exit code 1 if anything stored, cached or served is not what the market was; a missed budget is no failure.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from uvicorn.loops.auto import auto_loop_factory

from benchmarks.pipeline.budgets import judged
from benchmarks.pipeline.integrity import require_sound
from benchmarks.pipeline.parts import PARTS, Parts
from benchmarks.pipeline.records import Extent
from benchmarks.pipeline.report import independence_plot, report
from benchmarks.pipeline.results import Growth, Results
from benchmarks.pipeline.summary import summary
from overround.bookmakers.kit.simulation import Size
from overround.clock import SystemClock
from overround.errors import OverroundError
from overround.logs import configure_logs
from overround.simulator.server.latency import LatencyProfile

_OUTPUT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"


def write(results: Results, directory: Path, what: str) -> Path:
    """Write the report, its summary and, for later parts, all that was measured; return the report's path."""
    budgets = judged(results)
    stem = f"{results.at:%Y-%m-%d}-{what}"
    directory.mkdir(parents=True, exist_ok=True)
    page = directory / f"{stem}.md"
    plot = independence_plot(results, f"{stem}-independence.svg", directory)
    page.write_text(report(results, budgets, plot), encoding="utf-8")
    (directory / f"{stem}.json").write_bytes(msgspec.json.encode(summary(results, budgets)) + b"\n")
    (directory / f"{stem}.raw.json").write_bytes(msgspec.json.encode(results) + b"\n")
    return page


def earlier(file: Path) -> Results | None:
    """Return what an earlier call wrote there, if it did."""
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else None


def newest_growth(directory: Path) -> Growth | None:
    """Return what `benchmarks.growth` wrote there last, if it did."""
    files = sorted(directory.glob("*-growth.json"))
    return msgspec.json.decode(files[-1].read_bytes(), type=Growth) if files else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=Size, choices=list(Size), default=Size.AUDIT)
    parser.add_argument("--latency", type=LatencyProfile, choices=list(LatencyProfile), default=LatencyProfile.NONE)
    parser.add_argument("--cycles", type=int, default=9, help="warm cycles, after the cold one")
    parser.add_argument("--repetitions", type=int, default=2, help="rounds of the interleaved comparison")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="parts to measure; without `pipeline` they are added to the report of the same day and name",
    )
    parser.add_argument("--what", default="pipeline", help="the files' name after the date")
    parser.add_argument("--output", type=Path, default=_OUTPUT)
    return parser.parse_args()


async def _measure_and_write(measured: AsyncIterator[Results], arguments: argparse.Namespace) -> Results:
    """Write what there is after each part: a run that is ended before its time leaves that behind."""
    results: Results | None = None
    async for results in measured:
        write(results, arguments.output, arguments.what)
    if results is None:
        raise OverroundError("nothing was measured")
    return results


def main() -> int:
    """Measure, verify, write; print the report."""
    arguments = _arguments()
    configure_logs("error")
    extent = Extent(
        events=arguments.events,
        seed=arguments.seed,
        size=arguments.size,
        latency=arguments.latency,
        cycles=arguments.cycles,
        repetitions=arguments.repetitions,
    )
    with tempfile.TemporaryDirectory(prefix="overround-benchmark-") as directory:
        at = SystemClock().now()
        before = earlier(arguments.output / f"{at:%Y-%m-%d}-{arguments.what}.raw.json")
        parts = Parts(extent, Path(directory), newest_growth(arguments.output))
        # The loop of the service, so that what is measured in this process is what it costs there.
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            results = runner.run(_measure_and_write(parts.measured(arguments.only, before, at), arguments))
    page = write(results, arguments.output, arguments.what)
    sys.stdout.write(page.read_text(encoding="utf-8"))
    sys.stdout.write(f"\nWritten to {page}\n")
    try:
        for run in (results.run, results.baseline, results.observed):
            require_sound(run.checks if run is not None else ())
        require_sound(results.faulty)
    except OverroundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
