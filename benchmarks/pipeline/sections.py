"""The report's sections, one function each; empty where nothing was measured."""

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.pipeline.markdown import megabytes, number, spread_cells, table
from benchmarks.pipeline.records import CycleRecord, Spread, blocking, spread
from benchmarks.pipeline.results import Growth, GrowthPoint, Results
from benchmarks.pipeline.run import PipelineRun

_HEAD = "## Async Write Pipeline (Phase 55)"
_COLUMNS = ("Metric", "Baseline (Phase 53)", "After Phase 55", "Change")
_STEPS = (
    ("lookups", "lookups_ms"),
    ("change detection", "change_detection_ms"),
    ("cache update", "cache_update_ms"),
    ("processing", "processing_ms"),
    ("enqueue", "queue_enqueue_ms"),
    ("flush", "storage_flush_ms"),
    ("commit", "storage_commit_ms"),
    ("all: `store_batch_results`", "blocking_ms"),
)
_PUBLISHED = (
    ("Storage blocking time (avg/batch)", "21,298 ms", "7,352 ms, of which processing 5,782 ms"),
    ("Events a second", "0.9", "2.6"),
    ("List endpoint, p50", "903 ms", "24 to 36 ms"),
    ("Resident memory", "not published", "2,389 to 3,154 MB"),
    ("Discovery of 1,291 events", "18.2 s", "not published"),
)


def phase_tables(results: Results) -> Iterator[str]:
    """Yield the phase plan's table against our own synchronous run, and against what was published elsewhere."""
    if results.baseline is not None:
        yield _own_table(results.run, results.baseline)
    yield _published_table(results.run)


def _own_table(run: PipelineRun, baseline: PipelineRun) -> str:
    now, then = blocking(run.warm).mean, blocking(baseline.warm).mean
    written, before = (statistics.mean(cycle.changed for cycle in one.warm) for one in (run, baseline))
    rows = [
        (
            "Storage blocking time (avg/batch)",
            f"{number(then)} ms",
            f"{number(now)} ms",
            f"{(now - then) / then * 100:+.0f} %",
        ),
        ("Snapshots written per cycle", number(before), number(written), number(written - before)),
        *_new_rows(run),
    ]
    text = (
        "Baseline: the same handler on the same market, awaited inline (`OVERROUND_ASYNCHRONOUS_WRITES=false`),"
        " measured in this run; averages over warm cycles. It detects changes too, so it writes as few snapshots."
    )
    return f"{_HEAD}\n\n{text}\n\n{table(_COLUMNS, rows)}"


def _published_table(run: PipelineRun) -> str:
    warm = run.warm
    rate = statistics.median(1000 * cycle.events / cycle.duration_ms for cycle in warm)
    ours = (
        f"{number(blocking(warm).mean)} ms",
        number(rate),
        f"{number(run.idle.times_ms.p50)} ms idle, {number(run.during.p50)} ms during a cycle",
        f"{number(run.drains[-1].rss_mb)} MB",
        f"{statistics.median(cycle.discovery_ms for cycle in warm) / 1000:.2f} s for {warm[-1].events:,} events",
    )
    rows = [
        (metric, f"{then}; then {later}", value, "not comparable: other machine, other network")
        for (metric, then, later), value in zip(_PUBLISHED, ours, strict=True)
    ]
    text = (
        "Baseline: the prior system's published figures, synchronous and then with its own write queue; **published"
        " elsewhere, not measured here**, on 1,291 events of real bookmakers over the internet."
    )
    return f"{_HEAD}: published figures\n\n{text}\n\n{table(_COLUMNS, [*rows, *_new_rows(run)])}"


def _new_rows(run: PipelineRun) -> list[tuple[str, str, str, str]]:
    drains = statistics.mean(drain.duration_ms for drain in run.drains[1:])
    unchanged = _unchanged_share(run.warm)
    return [
        ("Write queue drain time", "N/A", f"{number(drains)} ms after a cycle's end", "new"),
        ("Change detection rate", "N/A", f"{unchanged:.1f} % unchanged", "new"),
    ]


def independence(results: Results) -> str:
    """Return the table of storing under a slow and a stopped database."""
    if not results.independence:
        return ""
    rows = [
        (
            row.name,
            number(row.asynchronous.p50),
            number(row.asynchronous.max),
            row.asynchronous.count,
            number(row.synchronous.p50) if row.synchronous.count else "-",
            f"{row.failed} batches not stored" if row.failed else row.synchronous.count,
        )
        for row in results.independence
    ]
    head = ("database", "async p50 ms", "async max ms", "batches", "synchronous p50 ms", "batches")
    text = (
        "`store_batch_results` of warm cycles, in interleaved cycles of two services on databases of their own. Commits"
        " are slowed inside the server, by a deferred trigger that waits; stopped: the server's process has ended."
    )
    return f"## Storing does not depend on the database\n\n{text}\n\n{table(head, rows)}"


def discovery(results: Results) -> str:
    """Return how long discovery took."""
    rows = [
        (name, number(run.cycles[0].discovery_ms), number(statistics.median(one.discovery_ms for one in run.warm)))
        for name, run in _runs(results)
    ]
    return "## Discovery\n\n" + table(("run", "cold ms", "warm ms, median"), rows)


def scraping(results: Results) -> str:
    """Return the fetches' times, and how the cycle's time stands to its bound."""
    rows = [
        (name, slug, number(median(run.warm, slug, "p50")), number(median(run.warm, slug, "p95")))
        for name, run in _runs(results)
        for slug in sorted(run.cycles[-1].fetches)
    ]
    text = table(("run", "bookmaker", "p50 ms", "p95 ms"), rows)
    if results.efficiency is not None:
        bounds = ", ".join(f"{slug} {ms / 1000:.1f} s" for slug, ms in results.bounds_ms.items())
        text += (
            f"\n\nWith observed latencies and the default limits, no cycle can be quicker than the slowest bookmaker"
            f" (requests x mean latency / concurrency, or requests x interval): {bounds}. Efficiency: that bound over"
            f" the measured time of scraping, {results.efficiency * 100:.1f} %."
        )
    return f"## Scraping\n\nMedians over the warm cycles.\n\n{text}"


def median(cycles: Sequence[CycleRecord], slug: str, rank: str) -> float:
    """Return the median over cycles of a rank of one bookmaker's fetch times."""
    return float(statistics.median(getattr(cycle.fetches.get(slug, Spread()), rank) for cycle in cycles))


def storage(results: Results) -> str:
    """Return what storing a batch consists of."""
    runs = [(name, [one for cycle in run.warm for one in cycle.stored]) for name, run in _runs(results)]
    rows = [
        (label, *(cell for _, stored in runs for cell in _step_cells([getattr(one, field) for one in stored])))
        for label, field in _STEPS
    ]
    head = ("step, ms", *(f"{name} {rank}" for name, _ in runs for rank in ("p50", "p95", "max")))
    text = (
        "Warm cycles, a batch. Snapshots are compared and packed as their bodies arrive, outside of these steps; flush"
        " and commit are on the scraper's way only where writing is synchronous."
    )
    return f"## Storage\n\n{text}\n\n{table(head, rows)}"


def _step_cells(values: Sequence[float]) -> tuple[str, ...]:
    measured = spread(values)
    return number(measured.p50), number(measured.p95), number(measured.max)


def queue(results: Results) -> str:
    """Return how deep the queue became, and how long changes took to be committed."""
    run = results.run
    rows = [
        (
            cycle.run_id,
            number(cycle.queue_depth.p50),
            number(cycle.queue_depth.max),
            cycle.pending_after,
            number(drain.duration_ms),
        )
        for cycle, drain in zip(run.cycles, run.drains, strict=True)
    ]
    head = ("cycle", "depth p50", "depth max", "left at its end", "drained after ms")
    delays = " / ".join(spread_cells(run.to_committed))
    text = f"From a body's arrival to the commit of its change, warm: {delays} ms (p50 / p95 / p99 / max)"
    if results.observed is not None:
        text += f"; with observed latencies {' / '.join(spread_cells(results.observed.to_committed))} ms"
    final = run.drains[-1].queue
    if final is not None:
        text += f". One transaction: p50 {final.commit.p50 * 1000:.1f} ms, p99 {final.commit.p99 * 1000:.1f} ms"
        text += f"; journal append p50 {final.append_p50_ms:.2f} ms, p99 {final.append_p99_ms:.2f} ms"
    text += ". A change waits for its batch of events to be complete; that is most of this time."
    return f"## Queue\n\nIn batches.\n\n{table(head, rows)}\n\n{text}"


def changes(results: Results) -> str:
    """Return what change detection found."""
    rows = [
        (
            cycle.run_id,
            cycle.snapshots,
            cycle.changed,
            cycle.unchanged,
            f"{_unchanged_share([cycle]):.1f} %",
            f"{cycle.markets_changed:,}",
        )
        for cycle in results.run.cycles
    ]
    head = ("cycle", "snapshots", "changed", "unchanged", "write reduction", "market changes")
    return "## Change detection\n\n" + table(head, rows)


def _unchanged_share(cycles: Sequence[CycleRecord]) -> float:
    return 100 * sum(cycle.unchanged for cycle in cycles) / max(1, sum(cycle.snapshots for cycle in cycles))


def volumes(results: Results) -> str:
    """Return what was written to the database."""
    run = results.run
    warm = max(1, len(run.warm))
    changed, cold = (sum(cycle.markets_changed for cycle in part) for part in (run.warm, run.cycles[:1]))
    rows = [
        (
            name,
            *(megabytes(getattr(grown, field) / by) for field in ("history", "latest", "statuses", "log")),
            f"{grown.history / max(1, changes_):.1f}",
        )
        for name, grown, by, changes_ in (
            ("cold", run.grown_cold, 1, cold),
            ("warm, each", run.grown_warm, warm, changed),
        )
    ]
    head = ("cycle", "history", "latest state", "statuses", "write-ahead log", "history bytes per market change")
    return f"## Bytes written\n\nGrowth of the tables with their indexes.\n\n{table(head, rows)}"


def api(results: Results) -> str:
    """Return the list endpoint's times."""
    run = results.run
    found = [("first page", "idle", run.idle.times_ms), ("first page", "during the last cycle", run.during)]
    if results.observed is not None:
        found.append(("first page", "during a cycle with observed latencies", results.observed.during))
    if results.limits is not None:
        found.append(("bare FastAPI route of its size", "idle", results.limits.route.times_ms))
    if results.observed is not None:
        during = "during a cycle with observed latencies"
        found.append(("event of that page", during, results.observed.page_event_during))
        found.append(("any event, most asked for the first time", during, results.observed.any_event_during))
        found.append(("any event, packed with gzip", during, results.observed.packed_event_during))
        found.append(("bare FastAPI route in the service's process", during, results.observed.bare_during))
    found.append(("event that nobody had asked for", "idle", run.event_unasked))
    rows = [(what, when, times.count, *spread_cells(times)) for what, when, times in found]
    text = (
        f"The first page is `GET /api/events`, 50 events, {run.idle.bytes:,} bytes; an event is"
        " `GET /api/events/{sr_id}` with all its markets. One client on the same two cores, which rests for 10 ms"
        " before each request in a cycle; what it takes itself, as little as a client can, is in the figures. After the"
        f" cold cycle the service was left alone until it had encoded {run.encoded.events:,} events ahead, for"
        f" {run.encoded.seconds:.0f} s; they took {run.encoded.bytes / 1e6:.0f} MB."
    )
    head = ("what", "when", "requests", "p50 ms", "p95 ms", "p99 ms", "max ms")
    return f"## API\n\n{text}\n\n{table(head, rows)}"


def loop(results: Results) -> str:
    """Return how late the event loop's timers were."""
    rows = [
        (name, cycle.run_id, *spread_cells(cycle.stalls), *spread_cells(cycle.busy)[2:])
        for name, run in _runs(results)
        for cycle in (run.cycles[0], *run.warm[-2:])
    ]
    text = (
        "How late a timer of the service fires that is set for every two milliseconds, and what of that the event loop"
        " has worked; the rest was the machine's doing. The API is asked in the last cycle."
    )
    head = ("run", "cycle", "p50 ms", "p95 ms", "p99 ms", "max ms", "worked p99 ms", "worked max ms")
    return f"## Event loop\n\n{text}\n\n" + table(head, rows)


def memory(results: Results) -> str:
    """Return the process's resident memory, cycle by cycle."""
    lines = [f"- {name}: {', '.join(number(drain.rss_mb) for drain in run.drains)} MB" for name, run in _runs(results)]
    return "## Memory\n\nResident memory of the service after each cycle, cold first:\n\n" + "\n".join(lines)


def processors(results: Results) -> str:
    """Return what the processes used."""
    rows = []
    for name, run in _runs(results):
        events = max(1, sum(cycle.events for cycle in run.warm))
        rows += [(name, process, number(1000 * used / events)) for process, used in run.cpu_seconds.items()]
    text = "CPU milliseconds per event and warm cycle, all bookmakers together."
    return f"## Processor time\n\n{text}\n\n" + table(("run", "process", "ms an event"), rows)


def limits(results: Results) -> str:
    """Return what the machine can do at all, and our ratio to it."""
    rows: list[tuple[str, str, str, str]] = []
    if results.limits is not None:
        found = results.limits
        ours = (
            f"{number(found.ours_ms)} with {found.unchanged * 100:.0f} % of the bodies as before; all of them new"
            f" {number(found.new_ms)}, of which decoding and normalising {number(found.normalise_ms)};"
            f" with packing what changed {number(found.packed_ms)}"
        )
        rate = statistics.median(1000 * cycle.events / cycle.duration_ms for cycle in results.run.warm)
        rows += [
            (
                "msgspec's bare typed decode of the same bytes, ms an event",
                number(found.decode_ms),
                ours,
                f"{found.ours_ms / found.decode_ms:.2f}; {found.new_ms / found.decode_ms:.2f}",
            ),
            (
                "bare aiohttp fetch of the same bodies, events/s",
                number(found.fetched_per_second),
                number(rate),
                f"{rate / found.fetched_per_second:.2f}",
            ),
            (
                "bare FastAPI route of the same size, requests/s",
                number(found.route.per_second),
                number(results.run.idle.per_second),
                f"{results.run.idle.per_second / found.route.per_second:.2f}",
            ),
        ]
    if results.writer is not None:
        speed = results.writer.changes_per_second
        rows.append(
            (
                "bare COPY of the same rows, market changes/s",
                number(speed["bare_copy_median"]),
                f"{number(speed['backlog_median'])}, latest state included",
                f"{speed['backlog_median'] / speed['bare_copy_median']:.2f}",
            )
        )
    if not rows:
        return ""
    return "## Limits of this machine\n\n" + table(("limit", "limit's figure", "ours", "ours / limit"), rows)


def growth(results: Results) -> str:
    """Return how cost and memory grow with the size, as the newest growth benchmark found it."""
    if results.growth is None:
        return ""
    return f"## Growth\n\nMeasured by itself, on {results.growth.at:%Y-%m-%d}.\n\n{growth_table(results.growth)}"


def growth_table(found: Growth) -> str:
    """Return a growth benchmark's table."""
    head = (
        "events x bookmakers",
        "snapshots",
        "cycle ms",
        "CPU us a snapshot",
        "us a bare decoding",
        "ratio",
        "memory MB",
        "bytes a snapshot",
    )
    text = (
        "Warm cycles on bodies in memory: decoded, compared, cached, packed, journalled in memory, and taken by a"
        " handler that keeps nothing. `bytes a snapshot` is what the process has grown by, over cached snapshots. Every"
        " seventh body is decoded once more, bare, in the same cycle: what a snapshot costs is compared by the ratio to"
        " that, since the machine is not equally fast all the time."
    )
    last = [] if found.again is None else [found.again]
    blocks = [text, table(head, [_growth_row(point) for point in (*found.points, *last)])]
    if found.spread is not None:
        blocks.append(f"The last line, {found.spread:.2f} of the same size before, tells how far this can be trusted.")
    if found.to_database is not None:
        point = found.to_database
        rate = number(1000 * point.events / point.cycle_ms)
        blocks.append(f"The same with PostgreSQL behind it, {point.events:,} x {point.bookmakers}: {rate} events/s.")
    blocks += [f"Left out: {reason}." for reason in found.left_out]
    return "\n\n".join(blocks)


def _growth_row(point: GrowthPoint) -> Sequence[str]:
    return (
        f"{point.events:,} x {point.bookmakers}",
        f"{point.snapshots:,}",
        number(point.cycle_ms),
        number(point.cpu_us_per_snapshot),
        number(point.decode_us),
        f"{point.cost:.2f}",
        number(point.rss_mb),
        number(point.bytes_per_snapshot),
    )


def _runs(results: Results) -> Iterator[tuple[str, PipelineRun]]:
    yield "asynchronous", results.run
    if results.baseline is not None:
        yield "synchronous", results.baseline
    if results.observed is not None:
        yield "observed latencies", results.observed
