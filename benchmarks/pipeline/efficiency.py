"""How near a cycle comes to the quickest that latencies and limits allow."""

import math
import statistics
from collections.abc import Mapping

from benchmarks.pipeline.run import PipelineRun
from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.simulator.server.oracle import simulations_of

_P95 = 1.645  # standard deviations above the mean of a normal distribution


def bounds_ms(run: PipelineRun) -> Mapping[str, float]:
    """Return for each bookmaker the least time that its requests of the last cycle can take."""
    bookmakers = load_bookmakers()
    profiles = {slug: one.profile for slug, one in simulations_of(bookmakers, load_catalogue()).items()}
    return {
        slug: fetches.count
        * max(
            mean_latency(*profiles[slug].latency_ms) / bookmakers[slug].defaults.concurrency,
            bookmakers[slug].defaults.min_interval_ms,
        )
        for slug, fetches in run.cycles[-1].fetches.items()
    }


def mean_latency(median: float, p95: float) -> float:
    """Return the mean of times whose logarithms are normally distributed."""
    return median * math.exp((math.log(p95 / median) / _P95) ** 2 / 2)


def efficiency(run: PipelineRun) -> float:
    """Return the slowest bookmaker's bound over the warm cycles' time of scraping."""
    return max(bounds_ms(run).values()) / statistics.median(cycle.scraping_ms for cycle in run.warm)
