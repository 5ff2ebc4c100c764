"""What is not well: the facts that the health rules look at, and what they make of them."""

from datetime import datetime

from overround.api.bookmakers.routes import Holding, held, seconds_since_success
from overround.api.state import ApiState
from overround.fetching.circuit_breaker import BreakerState
from overround.scraping.start_up import CatchUpProgress
from overround.upkeep.health import BookmakerFacts, Effect, Facts, Reason, RecoveryFacts


def reasons(state: ApiState) -> list[Reason]:
    """Return all that is not well, the most urgent first."""
    return state.health.reasons(facts_of(state))


def not_ready(found: list[Reason]) -> list[Reason]:
    """Return the reasons for which prices are not served, or not journalled."""
    return [reason for reason in found if reason.effect is Effect.NOT_READY]


def degraded(found: list[Reason]) -> list[Reason]:
    """Return the reasons that `/health/ready` shows."""
    return [reason for reason in found if reason.effect is not Effect.NOTICE]


def takes_writes(state: ApiState) -> bool:
    """Tell whether the database is there: it has been prepared, and the last write has not failed."""
    queue = state.write_queue
    return state.database_ready.is_set() and (queue is None or not queue.stats().last_error)


def recovering(state: ApiState) -> CatchUpProgress | None:
    """Return how far the cache has caught up with the journal; None once it has."""
    return None if state.catch_up.done.is_set() else state.catch_up.progress


def facts_of(state: ApiState) -> Facts:
    """Return what the health rules look at; the only place that reads it from the running parts."""
    now, progress, report = state.clock.now(), recovering(state), state.integrity.last
    holdings = held(state)
    return Facts(
        now=now,
        recovery=None
        if progress is None
        else RecoveryFacts(percent=progress.percent, batches=progress.batches, batches_read=progress.batches_read),
        database_ready=state.database_ready.is_set(),
        other_owner=state.ownership.elsewhere,
        clock_fault=state.clock_watch.reason(),
        retention_waits=() if state.maintenance.last is None else state.maintenance.last.waiting,
        warm=state.warm.is_set(),
        partitions_short=state.maintenance.partitions_short(),
        queue=None if state.write_queue is None else state.write_queue.stats(),
        lost_markets=0 if report is None else report.lost,
        extra_markets=0 if report is None else report.extra,
        connections=state.connections.figures(),
        bookmakers=[_bookmaker(state, slug, holdings[slug], now) for slug in state.bookmakers],
    )


def _bookmaker(state: ApiState, slug: str, holding: Holding, now: datetime) -> BookmakerFacts:
    fetcher = state.fetchers[slug]
    figures = fetcher.statistics.figures()
    at = figures.replaced_at
    return BookmakerFacts(
        slug=slug,
        name=state.bookmakers[slug],
        left_alone=fetcher.turns().breaker is not BreakerState.CLOSED,
        stale_seconds=seconds_since_success(state, slug, holding) or 0.0,
        replaced=figures.replaced,
        replaced_at=None if at is None or now - at > state.replaced_for else at,
    )
