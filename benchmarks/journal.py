"""Measures the durable journal on a disk: synced appends, group commit, and how long a backlog takes to open.

Prints one JSON object. Batches are invented, and of the size and compressibility of real ones: about 20 kB.
The bare figure is one write and one fdatasync of the same stored bytes, taken in turns with the appends.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from overround.clock import SystemClock
from overround.records.batch import MarketWriteData, SnapshotWriteData, WriteBatch
from overround.storage.batch_codec import encode_batch
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.frames import packed
from overround.storage.journal.segmented import SegmentedJournal

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SNAPSHOTS = 50
MARKETS = 18  # changed ones of a snapshot
MEGABYTE = 1 << 20
_CLOCK = SystemClock()


def typical_batch(source: random.Random) -> bytes:
    """Return an encoded batch: 50 snapshots, each with some changed markets."""
    return encode_batch(
        WriteBatch(
            scrape_run_id=source.randrange(1 << 40),
            batch_index=source.randrange(30),
            snapshots=tuple(typical_snapshot(source) for _ in range(SNAPSHOTS)),
        )
    )


def typical_snapshot(source: random.Random) -> SnapshotWriteData:
    """Return a snapshot with invented prices."""
    return SnapshotWriteData(
        snapshot_id=uuid.UUID(int=source.getrandbits(128)),
        sr_id=source.randrange(50_000_000, 60_000_000),
        bookmaker=source.choice(("first", "second")),
        captured_at=START,
        body_hash=source.randbytes(16),
        markets=tuple(
            MarketWriteData(
                source.randrange(500), f"line={source.randrange(20) / 2}", (source.randrange(1100, 9000),) * 2
            )
            for _ in range(MARKETS)
        ),
    )


def milliseconds(since: float) -> float:
    """Return the time since a reading of the clock."""
    return (_CLOCK.monotonic() - since) * 1000


def percentiles(times: list[float]) -> Mapping[str, float]:
    """Return median and 99th percentile."""
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


async def append_times(folder: Path, bodies: list[bytes]) -> Mapping[str, object]:
    """Time single appends in turns with bare synced writes of the same bytes."""
    journal = SegmentedJournal(LocalDisk(folder / "journal"), _CLOCK, max_bytes=1 << 30)
    await journal.open()
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT, 0o600)
    appended, written = [], []
    for body in bodies:
        began = _CLOCK.monotonic()
        await journal.append(body)
        appended.append(milliseconds(began))
        stored = packed(body)
        began = _CLOCK.monotonic()
        os.write(bare, stored)
        os.fdatasync(bare)
        written.append(milliseconds(began))
    os.close(bare)
    await journal.close()
    return {"append": percentiles(appended), "bare_write_fdatasync": percentiles(written), "limit_p50_ms": 5}


async def group_throughput(folder: Path, bodies: list[bytes], callers: int) -> Mapping[str, object]:
    """Let many callers append as fast as they can."""
    journal = SegmentedJournal(LocalDisk(folder / "grouped"), _CLOCK, max_bytes=1 << 30)
    await journal.open()
    line = iter(bodies)

    async def call() -> None:
        for body in line:
            await journal.append(body)

    began = _CLOCK.monotonic()
    await asyncio.gather(*(call() for _ in range(callers)))
    seconds = milliseconds(began) / 1000
    await journal.close()
    return {
        "callers": callers,
        "appends_per_s": round(len(bodies) / seconds),
        "megabytes_per_s": round(sum(map(len, bodies)) / seconds / MEGABYTE, 1),
    }


async def recovery(folder: Path, source: random.Random, backlog: int) -> Mapping[str, object]:
    """Fill a journal with `backlog` bytes on disk, and have a fresh process open it and read it through."""
    journal = SegmentedJournal(LocalDisk(folder / "backlog"), _CLOCK, max_bytes=backlog * 2)
    await journal.open()
    bodies = [typical_batch(source) for _ in range(100)]
    while journal.stats().bytes < backlog:
        await asyncio.gather(*(journal.append(body) for body in bodies))
    await journal.close()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return await asyncio.get_running_loop().run_in_executor(process, reopen, folder / "backlog", backlog * 2)


def reopen(folder: Path, max_bytes: int) -> Mapping[str, object]:
    """Open a journal and read it; the peak of memory is this process's own."""
    return asyncio.run(_reopen(folder, max_bytes))


async def _reopen(folder: Path, max_bytes: int) -> Mapping[str, object]:
    before = peak_memory()
    journal = SegmentedJournal(LocalDisk(folder), _CLOCK, max_bytes=max_bytes)
    began = _CLOCK.monotonic()
    await journal.open()
    opened = milliseconds(began)
    entries = await journal.read(0, 50)
    first_read = milliseconds(began)
    stats = journal.stats()
    began = _CLOCK.monotonic()
    while entries:
        entries = await journal.read(entries[-1].seq, 50, wait=False)
    read = milliseconds(began)
    await journal.close()
    return {
        "backlog_megabytes": round(stats.bytes / MEGABYTE, 1),
        "entries": stats.pending,
        "open_ms": round(opened),
        "first_entries_ms": round(first_read),
        "limit_ms": 5000,
        "read_all_ms": round(read),
        "peak_memory_growth_megabytes": round(peak_memory() - before, 1),
    }


def peak_memory() -> float:
    """Return the largest resident size of this process so far, in megabytes, as Linux tells it."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(folder: Path, appends: int, callers: int, backlog: int) -> Mapping[str, object]:
    """Run all measurements."""
    source = random.Random(1)  # noqa: S311 - the same batches in every run
    bodies = [typical_batch(source) for _ in range(appends)]
    return {
        "batch_bytes": round(statistics.mean(map(len, bodies))),
        "stored_bytes": round(statistics.mean(len(packed(body)) for body in bodies)),
        "single": await append_times(folder, bodies),
        "group_commit": await group_throughput(folder, bodies, callers),
        "recovery": await recovery(folder, source, backlog * MEGABYTE),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=500)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--backlog", type=int, default=100, metavar="MB", help="size of the journal that is opened")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = asyncio.run(measure(Path(folder), options.appends, options.callers, options.backlog))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
