"""What is not well: the reasons not to be ready, and what somebody should look at beside."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

import msgspec

from overround.api.bookmakers.routes import held, seconds_since_success
from overround.api.state import ApiState
from overround.fetching.circuit_breaker import BreakerState
from overround.records.writing import FillState, QueueStats, WriterState
from overround.scraping.start_up import CatchUpProgress

_FORGOT = timedelta(minutes=10)
_STALE_SECONDS = 900.0  # as the alert rule OverroundPricesStale


_DEGRADED = frozenset(("clock_stepped", "retention_waits", "watermark_went_back", "history_gaps"))


class Severity(StrEnum):
    """How urgent it is: critical is what makes the service not ready, or prices wrong."""

    WARNING = "warning"
    CRITICAL = "critical"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not well; `code` is for programs and at most once in a list, `text` for people."""

    severity: Severity
    code: str
    text: str


def not_ready(state: ApiState) -> list[Alert]:
    """Return why the service is not ready; nothing, if it is."""
    queue = [] if state.write_queue is None else _queue_faults(state.write_queue.stats())
    return [_critical(code, text) for code, text in (*_recovery(state), *_database_faults(state), *queue)]


def alerts(state: ApiState) -> list[Alert]:
    """Return all that is not well, what makes the service not ready first."""
    broken = [_critical(code, text) for code, text in _broken(state)]
    return [*not_ready(state), *broken, *(_warning(code, text) for code, text in _worries(state))]


def degraded(state: ApiState) -> list[Alert]:
    """Return what somebody should look at although prices are served and journalled: time and memory gone wrong."""
    return [alert for alert in alerts(state) if alert.code in _DEGRADED]


def takes_writes(state: ApiState) -> bool:
    """Tell whether the database is there: it has been prepared, and the last write has not failed."""
    queue = state.write_queue
    return state.database_ready.is_set() and (queue is None or not queue.stats().last_error)


def recovering(state: ApiState) -> CatchUpProgress | None:
    """Return how far the cache has caught up with the journal; None once it has."""
    return None if state.catch_up.done.is_set() else state.catch_up.progress


def _recovery(state: ApiState) -> Iterator[tuple[str, str]]:
    progress = recovering(state)
    if progress is not None:
        batches = f"{progress.batches_read} of {progress.batches} batches read"
        yield "recovering", f"the cache takes over the journal: {progress.percent} %, {batches}"


def _database_faults(state: ApiState) -> Iterator[tuple[str, str]]:
    if state.ownership.elsewhere:
        yield (
            "owned_elsewhere",
            (
                f"another service owns the database: {state.ownership.elsewhere}; "
                "this one fetches nothing, and keeps its journal until that one ends"
            ),
        )
    elif not state.database_ready.is_set():
        yield "database_away", "the database is away: prices are journalled until it returns"
    elif not state.warm.is_set():
        yield "cache_filling", "the cache is being filled from the database"
    if state.maintenance.partitions_short():
        yield "partitions_short", "fewer than two partitions are there for the time to come: maintenance fails"


def _queue_faults(stats: QueueStats) -> Iterator[tuple[str, str]]:
    if not stats.running:
        yield "queue_stopped", "the write queue is not running"
    if stats.last_error:
        yield "writes_fail", f"the database does not take writes: {stats.last_error}"
    if stats.journal_error:
        yield "journal_refused", f"the journal's disk refuses writes: {stats.journal_error}"
    if stats.fill is not FillState.NORMAL:
        yield "journal_fills", f"the journal is {stats.fill_percent} % full: scraping is {stats.fill.value}"


def _broken(state: ApiState) -> Iterator[tuple[str, str]]:
    report = state.integrity.last
    if report is not None and (report.lost or report.extra):
        yield "integrity_broken", f"cache and database differ: {report.lost} markets lost, {report.extra} extra"
    stats = state.write_queue.stats() if state.write_queue is not None else None
    if stats is not None and stats.state is WriterState.BREAKER_OPEN:
        yield "writer_paused", f"the writer is paused: {stats.state_reason}"
    if stats is not None and stats.damaged_frames:
        yield "journal_damaged", f"{stats.damaged_frames} damaged frames were found in the journal"


def _worries(state: ApiState) -> Iterator[tuple[str, str]]:
    stats = state.write_queue.stats() if state.write_queue is not None else None
    if stats is not None and stats.open_gaps:
        yield "history_gaps", f"the database forgot {stats.open_gaps} stretches that no journal has any more"
    if stats is not None and stats.went_back_at is not None and state.clock.now() - stats.went_back_at < _FORGOT:
        yield "watermark_went_back", "the database forgot what it had confirmed: it was written again"
    open_ones = [slug for slug in state.bookmakers if state.fetchers[slug].turns().breaker is not BreakerState.CLOSED]
    if open_ones:
        yield "bookmaker_left_alone", f"only probed, since so much failed: {_names(state, open_ones)}"
    if waiting := (state.maintenance.last.waiting if state.maintenance.last is not None else ()):
        text = "partitions are old by the clock, but not by the time that the service has run"
        yield "retention_waits", f"{len(waiting)} {text}: {', '.join(waiting)}"
    if reason := state.clock_watch.reason():
        yield "clock_stepped", f"{reason}: times that people read may be wrong; order, ages and schedule are not"
    stale = _stale(state)
    if stale:
        yield "prices_stale", f"no prices for more than {_STALE_SECONDS / 60:.0f} minutes: {_names(state, stale)}"
    if state.write_queue is not None and state.write_queue.stats().dead_lettered:
        count = state.write_queue.stats().dead_lettered
        yield "dead_letters", f"the database could not take {count} units since the start: they are dead letters"


def _stale(state: ApiState) -> list[str]:
    known = {slug: seconds_since_success(state, slug, holding) for slug, holding in held(state).items()}
    return [slug for slug, age in known.items() if age is not None and age > _STALE_SECONDS]


def _names(state: ApiState, slugs: list[str]) -> str:
    return ", ".join(state.bookmakers[slug] for slug in slugs)


def _critical(code: str, text: str) -> Alert:
    return Alert(severity=Severity.CRITICAL, code=code, text=text)


def _warning(code: str, text: str) -> Alert:
    return Alert(severity=Severity.WARNING, code=code, text=text)
