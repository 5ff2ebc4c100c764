"""Everything that one benchmark measured."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from benchmarks.pipeline.asking import Answers
from benchmarks.pipeline.machine import Machine
from benchmarks.pipeline.records import Check, Spread
from benchmarks.pipeline.run import PipelineRun


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine can do at all, beside what the pipeline does of it; CPU per event over all bookmakers.

    `ours_ms` is decoding and normalising (of what is not known already) and comparing with the cache, of bodies a
    tick later, of which the share `unchanged` is as before. `new_ms`: the same where every body is decoded;
    `packed_ms`: where what changed is packed for the journal, too.
    """

    events: int
    payload_bytes: int
    decode_ms: float
    normalise_ms: float
    new_ms: float
    ours_ms: float
    packed_ms: float = 0.0
    unchanged: float
    fetched_per_second: float
    route: Answers


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """What the write handler's own benchmark reports."""

    changes_stored: int
    changes_per_second: dict[str, float]
    one_batch_ms: dict[str, float]
    bytes_per_change: dict[str, float]
    latest_odds_mb: float


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`store_batch_results` under one condition of the database; `failed` are batches that could not be stored."""

    name: str
    asynchronous: Spread
    synchronous: Spread
    failed: int


SMALL, LARGE = (1_300, 3), (20_000, 10)
"""Events and bookmakers of the sizes whose costs are compared."""
GROWTH_BOUND = 1.15


class GrowthPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One size: what a snapshot of a warm cycle costs, what a cached one occupies, how long a cycle takes.

    `decode_us` is what msgspec's bare decoding of some of the same bodies cost in the same cycles, a body: what the
    machine was able to do meanwhile.
    """

    events: int
    bookmakers: int
    snapshots: int
    cycle_ms: float
    cpu_us_per_snapshot: float
    decode_us: float
    rss_mb: float
    bytes_per_snapshot: float

    @property
    def cost(self) -> float:
        """Return what a snapshot costs, in bare decodings of a body."""
        return self.cpu_us_per_snapshot / self.decode_us


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """All sizes; `to_database` is the one that ends in PostgreSQL. `left_out` says what was not measured, and why.

    `again` is the size of `SMALL` once more, after all others.
    """

    at: datetime
    machine: Machine
    seed: int
    points: tuple[GrowthPoint, ...]
    to_database: GrowthPoint | None = None
    again: GrowthPoint | None = None
    left_out: tuple[str, ...] = ()

    @property
    def events_per_second(self) -> float | None:
        """Return how many events a second come from bytes in memory into PostgreSQL, warm."""
        point = self.to_database
        return None if point is None else 1000 * point.events / point.cycle_ms

    @property
    def spread(self) -> float | None:
        """Return what a snapshot of the small size costs after the large ones, over before them."""
        small = self._point(SMALL)
        return self.again.cost / small.cost if self.again is not None and small is not None else None

    @property
    def cost_ratio(self) -> float | None:
        """Return what a snapshot costs at 20,000 events and 10 bookmakers, over 1,300 and 3 before and after.

        None as well where these two differ by more than the bound is wide: then it can not be told.
        """
        small, large, spread = self._point(SMALL), self._point(LARGE), self.spread
        if small is None or large is None or self.again is None or spread is None:
            return None
        if not 1 / GROWTH_BOUND <= spread <= GROWTH_BOUND:
            return None
        return large.cost / statistics.mean((small.cost, self.again.cost))

    def _point(self, size: tuple[int, int]) -> GrowthPoint | None:
        return next((one for one in self.points if (one.events, one.bookmakers) == size), None)


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark's measurements; None is what was not asked for. `loads` are load averages before each part."""

    at: datetime
    machine: Machine
    run: PipelineRun
    loads: Mapping[str, float] = {}
    baseline: PipelineRun | None = None
    observed: PipelineRun | None = None
    efficiency: float | None = None
    bounds_ms: Mapping[str, float] = {}
    independence: Sequence[Condition] | None = None
    limits: Limits | None = None
    writer: Writer | None = None
    faulty: Sequence[Check] = ()
    growth: Growth | None = None
