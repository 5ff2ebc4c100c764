"""A minute's benchmark for a build: counts and integrity exactly, one ratio with a wide margin; exit code 1 if not.

How many snapshots must have changed is the market model's word, so that no figure has to be kept here. Times are not
judged: builds run on busy machines.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pipeline.limits import limits
from benchmarks.pipeline.records import Extent, total_counts
from benchmarks.pipeline.results import Limits
from benchmarks.pipeline.run import PipelineRun, measured_run
from overround.logs import configure_logs

EXTENT = Extent(events=60, cycles=2)
_MOST = 8.0  # times msgspec's bare typed decode; the budget is 2.5
_LEAST_UNCHANGED = 0.2  # of the warm cycles' snapshots


def objections(run: PipelineRun, found: Limits) -> Iterator[str]:
    """Yield what is wrong with a run."""
    yield from (f"{check.name}: {check.wrong} of {check.looked_at} wrong" for check in run.checks if not check.holds)
    for cycle in run.cycles:
        if cycle.failed or cycle.status != "completed":
            yield f"cycle {cycle.run_id} ended as {cycle.status}, with {cycle.failed} failures"
    warm = total_counts(run.warm)
    if warm["unchanged"] < _LEAST_UNCHANGED * warm["snapshots"]:
        yield f"only {warm['unchanged']} of {warm['snapshots']} warm snapshots are unchanged"
    last = run.drains[-1].queue
    if last is None or last.pending or last.dead_lettered:
        yield f"the queue is not empty, or has dead letters: {last}"
    ratio = found.ours_ms / found.decode_ms
    if ratio > _MOST:
        yield f"decoding, normalising and comparing takes {ratio:.1f} times as long as bare decoding"


async def _measure(directory: Path) -> tuple[PipelineRun, Limits]:
    run = await measured_run(EXTENT, directory)
    return run, await limits(EXTENT, run.idle.bytes)


def main() -> int:
    """Measure, and print what is wrong, or the counts."""
    configure_logs("error")
    with tempfile.TemporaryDirectory(prefix="overround-benchmark-") as directory:
        run, found = asyncio.run(_measure(Path(directory)))
    wrong = list(objections(run, found))
    counts = ", ".join(f"{name} {value:,}" for name, value in total_counts(run.cycles).items())
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or f"Sound: {counts}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
