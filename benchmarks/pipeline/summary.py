"""A benchmark's summary, which is committed beside its page: enough to compare two reports, at most 20 kB."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from benchmarks.pipeline.asking import Answers
from benchmarks.pipeline.budgets import Budget
from benchmarks.pipeline.machine import Machine
from benchmarks.pipeline.records import Check, Extent, Spread
from benchmarks.pipeline.results import Condition, Limits, Results, Writer
from benchmarks.pipeline.volume import Volume


class CycleSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle: what it found, and how long it took; times in milliseconds, memory in MB."""

    run_id: int
    snapshots: int
    changed: int
    unchanged: int
    failed: int
    markets_changed: int
    duration_ms: float
    discovery_ms: float
    blocking: Spread
    stalls: Spread
    cpu_seconds: float
    rss_mb: float


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One service's run, without its batches, fetches and states of the queue."""

    extent: Extent
    cycles: tuple[CycleSummary, ...]
    grown_cold: Volume
    grown_warm: Volume
    to_committed: Spread
    idle: Answers
    during: Spread
    event_unasked: Spread = Spread()
    restart_seconds: float
    cpu_seconds: dict[str, float]
    checks: tuple[Check, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A report's figures: its fields are those of the same names in `Results`, and the budgets as judged."""

    at: datetime
    machine: Machine
    loads: Mapping[str, float]
    budgets: Sequence[Budget] = ()
    run: RunSummary
    baseline: RunSummary | None
    observed: RunSummary | None
    efficiency: float | None
    bounds_ms: Mapping[str, float]
    independence: Sequence[Condition] | None
    limits: Limits | None
    writer: Writer | None
    faulty: Sequence[Check]


def summary(results: Results, budgets: Sequence[Budget]) -> Summary:
    """Return what is kept of a benchmark's measurements."""
    return msgspec.structs.replace(msgspec.convert(results, Summary, from_attributes=True), budgets=budgets)
