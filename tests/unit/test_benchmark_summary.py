from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.pipeline.__main__ import earlier, write
from benchmarks.pipeline.asking import Answers
from benchmarks.pipeline.machine import Machine
from benchmarks.pipeline.records import Check, CycleRecord, DrainRecord, Extent, Spread
from benchmarks.pipeline.results import Results
from benchmarks.pipeline.run import PipelineRun
from benchmarks.pipeline.summary import Summary
from benchmarks.pipeline.volume import Volume
from overround.records.batch import BookmakerCounts
from overround.streaming.progress import Stored

BATCHES, CYCLES = 230, 10
SPREAD = Spread(count=1_290, mean=101.123, p50=100.123, p95=1_000.123, p99=2_000.123, max=3_000.123)
COUNTS = {slug: BookmakerCounts(listings=1_290, changed=450, confirmed=830) for slug in ("first", "second", "third")}
STORED = Stored(
    run_id=1,
    batch_index=1,
    events=21,
    lookups_ms=0.009,
    processing_ms=0.192,
    change_detection_ms=0.233,
    cache_update_ms=0.149,
    queue_enqueue_ms=14.051,
    storage_flush_ms=0.0,
    storage_commit_ms=0.0,
    blocking_ms=14.633,
    changed_bp=13,
    unchanged_bp=8,
    changed_comp=26,
    unchanged_comp=16,
    markets_changed=1_083,
)
CYCLE = CycleRecord(
    run_id=1,
    status="completed",
    events=1_300,
    not_stored=0,
    duration_ms=30_628.7,
    discovery_ms=218.3,
    scraping_ms=5_752.2,
    counts=COUNTS,
    stored=(STORED,) * BATCHES,
    fetches=dict.fromkeys(COUNTS, SPREAD),
    fetched_bytes=534_848_645,
    stalls=SPREAD,
    busy=SPREAD,
    queue_depth=SPREAD,
    pending_after=2,
    cpu_seconds=5.86,
    rss_mb=284.7,
)
VOLUME = Volume(history=12_034_048, statuses=729_088, latest=31_252_480, log=28_227_120)
RUN = PipelineRun(
    extent=Extent(),
    asynchronous=True,
    cycles=(CYCLE,) * CYCLES,
    drains=(DrainRecord(duration_ms=29.5, queue=None, rss_mb=284.7),) * CYCLES,
    grown_cold=VOLUME,
    grown_warm=VOLUME,
    to_committed=SPREAD,
    idle=Answers(times_ms=SPREAD, bytes=281_311, per_second=1_220.2),
    during=SPREAD,
    page_event_during=SPREAD,
    any_event_during=SPREAD,
    packed_event_during=SPREAD,
    bare_during=SPREAD,
    event_unasked=SPREAD,
    restart_seconds=2.2,
    cpu_seconds={"service": 43.91, "simulator": 22.99, "PostgreSQL": 2.26},
    checks=(Check(name="the cache equals the database", looked_at=3_900, wrong=0),) * 8,
)
MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gb=23.5,
    system="Linux",
    python="3.11",
    packages={"msgspec": "0.22.0"},
    commit="0123456",
    load=0.84,
)
SHORT = msgspec.structs.replace(RUN, cycles=RUN.cycles[:2], drains=RUN.drains[:2])
RESULTS = Results(at=datetime(2026, 1, 2, tzinfo=UTC), machine=MACHINE, run=RUN, baseline=SHORT, observed=SHORT)


def test_summary_is_small_and_keeps_what_two_reports_are_compared_by(tmp_path: Path) -> None:
    """Of thousands of batches at most 20 kB are kept, with every cycle's counts and every budget."""
    page = write(RESULTS, tmp_path, "pipeline")
    written = page.with_suffix(".json").read_bytes()
    kept = msgspec.json.decode(written, type=Summary)
    assert len(written) <= 20_000
    assert [(cycle.changed, cycle.markets_changed, cycle.blocking.count) for cycle in kept.run.cycles] == [
        (1_350, 1_083 * BATCHES, BATCHES)
    ] * CYCLES
    measured = {budget.name: budget.measured for budget in kept.budgets}
    assert measured["arrival of a change to its commit, p99"] == 2_000.123
    assert (kept.machine, kept.run.checks) == (MACHINE, RUN.checks)


def test_later_parts_find_all_that_was_measured(tmp_path: Path) -> None:
    """The raw file beside the page gives back the results as they were; where there is none, there is nothing."""
    page = write(RESULTS, tmp_path, "pipeline")
    found = earlier(page.with_suffix(".raw.json"))
    assert found is not None
    assert (found.at, found.machine) == (RESULTS.at, MACHINE)
    assert (found.run, found.baseline, found.observed) == (RUN, SHORT, SHORT)
    assert earlier(tmp_path / "another.raw.json") is None


def test_git_ignores_raw_figures() -> None:
    """What a benchmark writes beside its page and its summary is not committed."""
    ignored = Path(__file__).parents[2].joinpath(".gitignore").read_text().splitlines()
    assert "docs/benchmarks/*.raw.json" in ignored
