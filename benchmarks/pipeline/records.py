"""What the measured service and the driver tell each other, and what a run is made of."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from overround.bookmakers.kit.simulation import Size
from overround.records.batch import BookmakerCounts
from overround.records.writing import QueueStats
from overround.simulator.server.latency import LatencyProfile
from overround.streaming.progress import Stored


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How large a benchmark is; the same extent and seed give the same counts."""

    events: int = 1300
    seed: int = 1
    size: Size = Size.AUDIT
    latency: LatencyProfile = LatencyProfile.NONE
    cycles: int = 10
    repetitions: int = 3
    batch_size: int = 50


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the measured service is set up; without `polite` no bookmaker's requests are spaced out.

    `whole_batches`: what has been fetched waits for the rest of its batch, however long that takes.
    """

    base_urls: dict[str, str]
    data_dir: str
    database_url: str
    starts_at: datetime
    asynchronous: bool = True
    polite: bool = False
    whole_batches: bool = False
    batch_size: int = 50


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution by its nearest ranks."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class RunCycle(msgspec.Struct, frozen=True, kw_only=True, tag="cycle"):
    """Run a cycle at this instant of the market."""

    at: datetime


class Drain(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Wait until the database has everything."""


Command = RunCycle | Drain


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The measured service listens, and how large its process is."""

    port: int
    rss_mb: float


class CycleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle as the service saw it; times in milliseconds, `cpu_seconds` of the whole process.

    `stalls` is by how much a timer came late that fires every two milliseconds, `busy` what of that the event loop's
    thread has worked; `not_stored` counts batches.
    """

    run_id: int
    status: str
    events: int
    not_stored: int
    duration_ms: float
    discovery_ms: float
    scraping_ms: float
    counts: dict[str, BookmakerCounts]
    stored: tuple[Stored, ...]
    fetches: dict[str, Spread]
    fetched_bytes: int
    stalls: Spread
    busy: Spread
    queue_depth: Spread
    pending_after: int
    cpu_seconds: float
    rss_mb: float

    @property
    def changed(self) -> int:
        """Return how many snapshots differed from the cache."""
        return sum(one.changed for one in self.counts.values())

    @property
    def unchanged(self) -> int:
        """Return how many snapshots equalled the cache."""
        return sum(one.confirmed + one.incomplete for one in self.counts.values())

    @property
    def snapshots(self) -> int:
        """Return how many snapshots were taken."""
        return self.changed + self.unchanged + sum(one.overtaken for one in self.counts.values())

    @property
    def failed(self) -> int:
        """Return how many fetches brought nothing."""
        return sum(one.failed + one.discovery_failed for one in self.counts.values())

    @property
    def markets_changed(self) -> int:
        """Return how many market changes were handed to the write path."""
        return sum(one.markets_changed for one in self.stored)

    @property
    def blocking(self) -> Spread:
        """Return how long storing kept the scraper, a batch."""
        return blocking([self])


class DrainRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How long the queue took to become empty after the cycle, and how it stands; None without a queue."""

    duration_ms: float
    queue: QueueStats | None
    rss_mb: float


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about a run that was verified: how much was looked at, and how much was wrong."""

    name: str
    looked_at: int
    wrong: int
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Tell whether something was looked at and all of it was right."""
        return self.looked_at > 0 and self.wrong == 0


def spread(values: Sequence[float]) -> Spread:
    """Return the distribution of some values."""
    if not values:
        return Spread()
    ordered = sorted(values)
    ranks = {
        percent: ordered[min(len(ordered), math.ceil(len(ordered) * percent / 100)) - 1] for percent in (50, 95, 99)
    }
    return Spread(
        count=len(ordered),
        mean=round(sum(ordered) / len(ordered), 3),
        p50=round(ranks[50], 3),
        p95=round(ranks[95], 3),
        p99=round(ranks[99], 3),
        max=round(ordered[-1], 3),
    )


def blocking(cycles: Sequence[CycleRecord]) -> Spread:
    """Return how long storing kept the scraper, a batch."""
    return spread([one.blocking_ms for cycle in cycles for one in cycle.stored])


def total_counts(cycles: Sequence[CycleRecord]) -> Mapping[str, int]:
    """Return the counts that two runs of the same extent and seed have in common."""
    return {
        "snapshots": sum(cycle.snapshots for cycle in cycles),
        "changed": sum(cycle.changed for cycle in cycles),
        "unchanged": sum(cycle.unchanged for cycle in cycles),
        "failed": sum(cycle.failed for cycle in cycles),
        "markets_changed": sum(cycle.markets_changed for cycle in cycles),
    }
