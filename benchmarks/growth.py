"""Measure how cost, memory and cycle time grow with the number of events and bookmakers; bodies come from memory.

Writes docs/benchmarks/<date>-growth.json, .md and plots. A size for which the machine has no memory left is left out.
"""

import argparse
import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from benchmarks.pipeline.growing import PointRequest
from benchmarks.pipeline.machine import this_machine
from benchmarks.pipeline.plots import line_plot
from benchmarks.pipeline.results import SMALL, Growth, GrowthPoint
from benchmarks.pipeline.sections import growth_table
from overround.clock import SystemClock
from overround.errors import OverroundError

_EVENTS = (325, 1_300, 5_200, 20_000)
_BOOKMAKERS = (3, 10)
_OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
_RESERVE = 1.5
_PLOTS: Sequence[tuple[str, str, Callable[[GrowthPoint], float]]] = (
    ("cost", "CPU, microseconds per snapshot", lambda point: point.cpu_us_per_snapshot),
    ("memory", "bytes of memory per snapshot", lambda point: point.bytes_per_snapshot),
    ("cycle", "seconds per cycle", lambda point: point.cycle_ms / 1000),
)


async def measure(events: Sequence[int], bookmakers: Sequence[int], seed: int) -> AsyncIterator[Growth]:
    """Measure all sizes, the small ones first; yield what there is after each, whoever may end it then."""
    last = PointRequest(events=min(max(events), SMALL[0]), bookmakers=SMALL[1], seed=seed, database=True)
    found = Growth(at=SystemClock().now(), machine=this_machine(), seed=seed, points=(), to_database=await _point(last))
    sizes = sorted(((e, b) for e in events for b in bookmakers), key=lambda size: size[0] * size[1])
    for place, (number, of) in enumerate(sizes):
        needed = _RESERVE * number * of * max((point.bytes_per_snapshot for point in found.points), default=0)
        if needed > psutil.virtual_memory().available:
            found = msgspec.structs.replace(
                found,
                left_out=(*found.left_out, f"{number:,} x {of}: about {needed / 2**30:.0f} GB are needed and not free"),
            )
            continue
        point = await _point(PointRequest(events=number, bookmakers=of, seed=seed))
        found = msgspec.structs.replace(found, points=(*found.points, point))
        missing = tuple(f"{e:,} x {b}: the run was ended before" for e, b in sizes[place + 1 :])
        yield msgspec.structs.replace(found, left_out=(*found.left_out, *missing))
    if SMALL in sizes:
        again = await _point(PointRequest(events=SMALL[0], bookmakers=SMALL[1], seed=seed))
        yield msgspec.structs.replace(found, again=again)


def write(growth: Growth, directory: Path) -> Path:
    """Write JSON, table and plots; return the table's path."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = f"{growth.at:%Y-%m-%d}-growth"
    encoded = msgspec.json.format(msgspec.json.encode(growth), indent=1)
    (directory / f"{stem}.json").write_bytes(encoded + b"\n")
    lines = [f"# Growth, measured on {growth.at:%Y-%m-%d}", growth_table(growth)]
    for name, label, value in _PLOTS:
        file = f"{stem}-{name}.svg"
        (directory / file).write_text(_plot(growth, label, value), encoding="utf-8")
        lines.append(f"![{label}, over the number of snapshots]({file})")
    page = directory / f"{stem}.md"
    page.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return page


def _plot(growth: Growth, label: str, value: Callable[[GrowthPoint], float]) -> str:
    series = {
        f"{number} bookmakers": [
            (point.snapshots, value(point)) for point in growth.points if point.bookmakers == number
        ]
        for number in sorted({point.bookmakers for point in growth.points})
    }
    return line_plot(label, "snapshots (events x bookmakers)", label, series)


async def _point(request: PointRequest) -> GrowthPoint:
    sys.stderr.write(f"measuring: {request.events:,} events x {request.bookmakers}\n")
    arguments = ("-m", "benchmarks.pipeline.growing", msgspec.json.encode(request).decode())
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise OverroundError("a size could not be measured; what it said stands on stderr")
    return msgspec.json.decode(output, type=GrowthPoint)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=_EVENTS)
    parser.add_argument("--bookmakers", type=int, nargs="+", default=_BOOKMAKERS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=_OUTPUT)
    arguments = parser.parse_args()
    page = asyncio.run(_measure_and_write(arguments))
    sys.stdout.write(page.read_text(encoding="utf-8") + f"\nWritten to {page}\n")


async def _measure_and_write(arguments: argparse.Namespace) -> Path:
    page: Path = arguments.output
    async for growth in measure(arguments.events, arguments.bookmakers, arguments.seed):
        page = write(growth, arguments.output)
    return page


if __name__ == "__main__":
    main()
