"""The budgets, and what was measured against each; one that a run did not measure says so."""

import statistics
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.pipeline.records import blocking
from benchmarks.pipeline.results import GROWTH_BOUND, Results

_LEAST_INDEPENDENCE_MS = 2.0
_INDEPENDENCE_SHARE = 0.2


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A bound and a figure of the same unit; both None where nothing was measured."""

    name: str
    unit: str
    budget: float
    at_most: bool = True
    measured: float | None = None
    met: bool | None = None

    def against(self, measured: float | None) -> "Budget":
        """Return the budget with what was measured."""
        if measured is None:
            return self
        met = measured <= self.budget if self.at_most else measured >= self.budget
        return msgspec.structs.replace(self, measured=round(measured, 3), met=met)


def judged(results: Results) -> Sequence[Budget]:
    """Return all budgets."""
    return [*_pipeline(results), *_served(results), *_limits(results), *_growth(results)]


def _pipeline(results: Results) -> Iterator[Budget]:
    run, warm = results.run, results.run.warm
    undisturbed = warm[:-1] or warm
    yield _at_most("store_batch_results, warm, p50", "ms", 10).against(blocking(warm).p50)
    yield _at_most("the same, whole batches of 50 events", "ms", 10).against(
        results.independence[0].asynchronous.p50 if results.independence else None
    )
    yield _at_most("same with slow or stopped database: largest difference over what is allowed", "ratio", 1).against(
        _dependence(results)
    )
    yield _at_most("arrival of a change to its commit, p99", "ms", 1000).against(run.to_committed.p99)
    yield _at_most("the same with observed latencies", "ms", 1000).against(
        results.observed.to_committed.p99 if results.observed is not None else None
    )
    observed = results.observed.warm if results.observed is not None else ()
    for what, stalls in (
        ("event-loop stall in a cycle", [cycle.stalls for cycle in undisturbed]),
        ("the same, what of it the event loop worked", [cycle.busy for cycle in undisturbed]),
        ("the same with observed latencies and the API asked", [cycle.stalls for cycle in observed]),
    ):
        p99 = statistics.median(one.p99 for one in stalls) if stalls else None
        yield _at_most(f"{what}, p99", "ms", 10).against(p99)
        yield _at_most(f"{what}, longest", "ms", 25).against(max((one.max for one in stalls), default=None))
    yield _at_most("resident memory of the service after the last cycle", "MB", 350).against(run.drains[-1].rss_mb)
    yield _at_most("resident memory: last cycle over second", "ratio", 1.1).against(
        run.drains[-1].rss_mb / run.drains[min(1, len(run.drains) - 1)].rss_mb
    )
    yield _at_least("events a second over loopback, warm", "events/s", 150).against(
        statistics.median(1000 * cycle.events / cycle.duration_ms for cycle in undisturbed)
        if run.extent.latency == "none"
        else None
    )
    yield _at_least("efficiency with observed latencies", "ratio", 0.85).against(results.efficiency)


def _served(results: Results) -> Iterator[Budget]:
    run, bare = results.run, results.limits.route if results.limits is not None else None
    for what, one in (("while a cycle runs", run), ("while one with observed latencies runs", results.observed)):
        yield _at_most(f"GET /api/events {what}, p50", "ms", 2).against(one.during.p50 if one is not None else None)
        yield _at_most(f"GET /api/events {what}, p99", "ms", 20).against(one.during.p99 if one is not None else None)
    during = results.observed
    yield _at_most("GET /api/events/{sr_id}, any event, while one with observed latencies runs, p50", "ms", 2).against(
        during.any_event_during.p50 if during is not None else None
    )
    yield _at_most("the same, an event of the first page, p50", "ms", 2).against(
        during.page_event_during.p50 if during is not None else None
    )
    yield _at_most("GET /api/events/{sr_id}, one that nobody had asked for, idle, p50", "ms", 2).against(
        run.event_unasked.p50
    )
    yield _at_least("GET /api/events idle, share of a bare route's requests a second", "ratio", 0.6).against(
        run.idle.per_second / bare.per_second if bare is not None else None
    )
    yield _at_most("start to first answer from the cache", "s", 3).against(run.restart_seconds)


def _limits(results: Results) -> Iterator[Budget]:
    limits, writer = results.limits, results.writer
    for which, figure in (
        ("as bodies come in a warm cycle", limits.ours_ms if limits is not None else None),
        ("every body new", limits.new_ms if limits is not None else None),
    ):
        yield _at_most(f"decode, normalise, detect: CPU per event, {which}", "ms", 1.5).against(figure)
        yield _at_most(f"the same over msgspec's bare typed decode, {which}", "ratio", 2.5).against(
            figure / limits.decode_ms if figure is not None and limits is not None else None
        )
    yield _at_least("market changes committed a second", "changes/s", 50_000).against(
        writer.changes_per_second["backlog_median"] if writer is not None else None
    )
    yield _at_most("bytes a stored market change", "bytes", 50).against(
        writer.bytes_per_change["all"] if writer is not None else None
    )


def _growth(results: Results) -> Iterator[Budget]:
    growth = results.growth
    yield _at_least("events a second from bytes in memory to committed", "events/s", 400).against(
        growth.events_per_second if growth is not None else None
    )
    yield _at_most("cost per snapshot: 20,000 x 10 over 1,300 x 3", "ratio", GROWTH_BOUND).against(
        growth.cost_ratio if growth is not None else None
    )


def _dependence(results: Results) -> float | None:
    """Return how far the median moves with the database, in parts of what it may move."""
    independence = results.independence
    if independence is None:
        return None
    normal, *others = (row.asynchronous.p50 for row in independence)
    allowed = max(_LEAST_INDEPENDENCE_MS, _INDEPENDENCE_SHARE * normal)
    return max(abs(other - normal) for other in others) / allowed


def _at_most(name: str, unit: str, budget: float) -> Budget:
    return Budget(name=name, unit=unit, budget=budget)


def _at_least(name: str, unit: str, budget: float) -> Budget:
    return Budget(name=name, unit=unit, budget=budget, at_most=False)
