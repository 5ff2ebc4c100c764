"""The service's figures for Prometheus, read on request; each is counted in one place."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from overround.api.bookmakers.routes import held, last_success, seconds_since_success
from overround.api.events.desk import desk_of
from overround.api.events.encoder import EventEncoder
from overround.api.events.fragments import ALL_MARKETS, Fragments
from overround.api.operations.alerts import degraded, not_ready, reasons, takes_writes
from overround.api.state import ApiState, State
from overround.api.streams.desk import Seats, StreamDesk, Streams
from overround.errors import ErrorClass
from overround.fetching.admission import TurnState
from overround.fetching.circuit_breaker import BreakerState
from overround.fetching.statistics import FetchFigures
from overround.records.writing import FillState, Latency, QueueStats, WriterState
from overround.streaming.client import StreamFigures
from overround.upkeep.health import RULES

_PREFIX = "overround_bookmaker_"


def bookmaker_metrics(state: ApiState) -> Iterator[Metric]:
    """Yield every bookmaker's figures."""
    figures = {slug: state.fetchers[slug].statistics.figures() for slug in state.bookmakers}
    yield from _ages(state)
    yield from _sums(figures)
    yield from _limits({slug: state.fetchers[slug].turns() for slug in state.bookmakers})


def _ages(state: ApiState) -> Iterator[Metric]:
    holdings = held(state)
    known = {slug: last_success(state, slug, holding) for slug, holding in holdings.items()}
    last = {slug: at for slug, at in known.items() if at is not None}
    ages = {slug: seconds_since_success(state, slug, holding) for slug, holding in holdings.items()}
    yield labelled(
        GaugeMetricFamily(
            f"{_PREFIX}last_success_timestamp_seconds", "When prices last arrived.", labels=["bookmaker"]
        ),
        {slug: at.timestamp() for slug, at in last.items()},
    )
    yield labelled(
        GaugeMetricFamily(f"{_PREFIX}staleness_seconds", "How old the newest prices are.", labels=["bookmaker"]),
        {slug: age for slug, age in ages.items() if age is not None},
    )
    yield labelled(
        GaugeMetricFamily(f"{_PREFIX}events", "Events with prices.", labels=["bookmaker"]),
        {slug: holding.events for slug, holding in holdings.items()},
    )


def _sums(figures: Mapping[str, FetchFigures]) -> Iterator[Metric]:
    yield labelled(
        CounterMetricFamily(f"{_PREFIX}requests", "Requests sent, retries included.", labels=["bookmaker"]),
        {slug: one.requests for slug, one in figures.items()},
    )
    yield labelled(
        CounterMetricFamily(f"{_PREFIX}received_bytes", "Bytes of whole answers, unpacked.", labels=["bookmaker"]),
        {slug: one.bytes for slug, one in figures.items()},
    )
    errors = CounterMetricFamily(f"{_PREFIX}errors", "Failed attempts, by class.", labels=["bookmaker", "class"])
    for slug, one in figures.items():
        # All classes from the start: a counter that appears with its first error hides that error from rate().
        for error_class in sorted({*_FETCHED, *one.errors}):
            errors.add_metric([slug, error_class], one.errors.get(error_class, 0))
    yield errors
    latency = HistogramMetricFamily(f"{_PREFIX}answer_seconds", "Until an answer was whole.", labels=["bookmaker"])
    for slug, one in figures.items():
        latency.add_metric([slug], buckets(one.latency), one.latency.sum)
    yield latency


_FETCHED = (
    ErrorClass.TRANSIENT.value,
    ErrorClass.THROTTLED.value,
    ErrorClass.BLOCKED.value,
    ErrorClass.REFUSED.value,
    ErrorClass.GONE.value,
    ErrorClass.MALFORMED.value,
    ErrorClass.CIRCUIT_OPEN.value,
)


def _limits(turns: Mapping[str, TurnState]) -> Iterator[Metric]:
    for name, text, field in (
        ("concurrency_limit", "Requests at once that the settings allow.", "limit"),
        ("concurrency_allowed", "Requests at once that are allowed at present.", "allowed"),
        ("concurrency_in_use", "Requests under way.", "in_use"),
        ("minute_requests", "Requests of the last 60 seconds.", "minute_used"),
    ):
        family = GaugeMetricFamily(f"{_PREFIX}{name}", text, labels=["bookmaker"])
        yield labelled(family, {slug: getattr(one, field) for slug, one in turns.items()})
    breaker = GaugeMetricFamily(f"{_PREFIX}breaker_state", "1 for the present one.", labels=["bookmaker", "state"])
    for slug, one in turns.items():
        for state in BreakerState:
            breaker.add_metric([slug, state.value], float(one.breaker is state))
    yield breaker


class EncodingCollector(Collector):
    """Reads what is kept, and how the encoder gets on."""

    def __init__(self, fragments: Fragments, encoder: EventEncoder) -> None:
        self._fragments = fragments
        self._encoder = encoder

    def collect(self) -> Iterable[Metric]:
        """Yield the figures."""
        fragments, encoder = self._fragments, self._encoder
        for name, text, value in (
            ("events", "Events that are kept in encoded form, with all markets.", fragments.events(ALL_MARKETS)),
            ("bytes", "Memory of all that is kept in encoded form, about.", fragments.bytes),
            ("last_round_events", "Events that the last round over all had to encode.", encoder.encoded),
        ):
            yield GaugeMetricFamily(f"overround_encoded_{name}", text, value=float(value))
        yield CounterMetricFamily("overround_encoder_rounds", "Times that all were looked at.", value=encoder.rounds)


def stream_metrics(figures: StreamFigures, seats: Seats, most: int) -> Iterator[Metric]:
    """Yield the figures of all clients together."""
    yield GaugeMetricFamily("overround_stream_clients", "Clients that follow prices.", value=figures.clients)
    yield GaugeMetricFamily("overround_stream_seats", "Clients of live streams that may be served.", value=most)
    yield GaugeMetricFamily("overround_stream_seats_taken", "Clients of live streams.", value=seats.taken)
    yield CounterMetricFamily("overround_stream_refused", "Clients that found no seat.", value=seats.refused)
    yield CounterMetricFamily("overround_stream_sent_bytes", "Bytes sent to all of them.", value=figures.bytes)
    yield CounterMetricFamily(
        "overround_stream_conflations", "Clients that fell behind and got newest states.", value=figures.conflations
    )
    yield labelled(
        CounterMetricFamily("overround_stream_resets", "Clients that had to begin anew, by reason.", labels=["reason"]),
        figures.resets,
    )


Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)


def labelled(family: Family, values: Mapping[str, float]) -> Family:
    """Return a family of one label with its values."""
    for label, value in values.items():
        family.add_metric([label], float(value))
    return family


def buckets(latency: Latency) -> list[tuple[str, float]]:
    """Return a distribution as the buckets of a histogram."""
    bounds = [(str(bound), float(count)) for bound, count in latency.buckets.items()]
    return [*bounds, ("+Inf", float(latency.count))]


router = APIRouter(tags=["health"])

_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FINISHED_RUNS = "overround_scrape_run"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def read_metrics(request: Request, state: State, streams: Streams) -> Response:
    """Return all figures in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ServiceCollector(state, streams))
    registry.register(EncodingCollector(desk_of(request).fragments, request.app.state.encoder))
    return Response(generate_latest(registry), media_type=_MEDIA_TYPE)


class _ServiceCollector(Collector):
    """Reads the running parts."""

    def __init__(self, state: ApiState, streams: StreamDesk) -> None:
        self._state = state
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        """Yield every metric of the service."""
        state = self._state
        yield _gauge("overround_ready_database", "1 while the database takes writes.", takes_writes(state))
        yield _gauge(
            "overround_ready_cache", "1 once the cache has been filled from the database.", state.warm.is_set()
        )
        yield from _recovery_metrics(state)
        yield from _cache_metrics(state)
        yield from bookmaker_metrics(state)
        yield from _service_metrics(state)
        yield from _run_metrics(state)
        if state.write_queue is not None:
            stats = state.write_queue.stats()
            yield from _queue_gauges(stats)
            yield from _queue_counters(stats)
            yield from _queue_latencies(stats)
        yield from stream_metrics(self._streams.figures, self._streams.seats, state.descriptors.streams)
        yield from _connection_metrics(state)
        yield from _health_metrics(state)
        yield from _integrity_metrics(state)


def _recovery_metrics(state: ApiState) -> Iterator[Metric]:
    progress = state.catch_up.progress
    running = not state.catch_up.done.is_set()
    yield _gauge("overround_recovering", "1 while the cache takes over the journal of an earlier process.", running)
    yield _gauge("overround_recovery_batches", "Batches that the journal held at start.", progress.batches)
    yield _gauge("overround_recovery_read_batches", "Of these, looked through.", progress.batches_read)
    yield _gauge("overround_recovery_snapshots", "Newest snapshots among them, known at the end.", progress.snapshots)
    yield _gauge("overround_recovery_taken_snapshots", "Of these, in the cache.", progress.snapshots_taken)


def _cache_metrics(state: ApiState) -> Iterator[Metric]:
    stats = state.cache.stats()
    yield _gauge("overround_cache_events", "Events with prices.", stats.events)
    yield _gauge("overround_cache_snapshots", "Latest states, one for each event and bookmaker.", stats.snapshots)
    yield _gauge("overround_cache_markets", "Markets in all latest states.", stats.markets)
    yield _gauge("overround_cache_unaccepted", "Latest states that the journal does not have yet.", stats.unaccepted)


def _service_metrics(state: ApiState) -> Iterator[Metric]:
    requests = HistogramMetricFamily(
        "overround_http_request_seconds", "Until an answer began.", labels=["method", "route", "status"]
    )
    for (method, route, status), latency in state.meter.latencies():
        requests.add_metric([method, route, str(status)], buckets(latency), latency.sum)
    yield requests
    yield _histogram("overround_event_loop_lag_seconds", "How late the event loop is.", state.loop_lag.lag())
    memory = state.process.memory_info().rss
    yield _gauge("overround_process_resident_memory_bytes", "Memory of the service's process.", memory)


def _run_metrics(state: ApiState) -> Iterator[Metric]:
    finished = next((run for run in state.control.runs() if run.finished_at is not None), None)
    if finished is None or finished.finished_at is None:
        return
    seconds = (finished.finished_at - finished.started_at).total_seconds()
    yield _gauge(f"{_FINISHED_RUNS}_last_duration_seconds", "How long the newest finished run took.", seconds)
    yield _gauge(f"{_FINISHED_RUNS}_last_events", "Events of the newest finished run.", finished.events)
    snapshots = GaugeMetricFamily(
        f"{_FINISHED_RUNS}_last_snapshots",
        "What became of the newest finished run's snapshots.",
        labels=["bookmaker", "outcome"],
    )
    for slug, counts in finished.counts.items():
        for outcome in ("changed", "confirmed", "incomplete", "overtaken", "failed"):
            snapshots.add_metric([slug, outcome], getattr(counts, outcome))
    errors = GaugeMetricFamily(
        f"{_FINISHED_RUNS}_last_errors", "Failures of the newest finished run, by class.", labels=["class"]
    )
    for error_class, count in finished.errors.items():
        errors.add_metric([error_class], count)
    yield snapshots
    yield errors


def _queue_gauges(stats: QueueStats) -> Iterator[Metric]:
    yield _gauge("overround_queue_running", "1 while the queue takes batches.", stats.running)
    yield _gauge("overround_queue_pending_batches", "Batches that wait for the database.", stats.pending)
    yield _gauge("overround_queue_journal_bytes", "Bytes of the journal on disk.", stats.pending_bytes)
    yield _gauge("overround_queue_oldest_pending_seconds", "Age of the oldest batch.", stats.oldest_pending_seconds)
    yield _gauge("overround_queue_journal_fill_ratio", "How full the journal is, 0 to 1.", stats.fill_percent / 100)
    yield _gauge("overround_queue_unanswered_seconds", "Since the database was asked.", stats.unanswered_seconds)
    yield from _held_gauges(stats)
    yield _gauge("overround_queue_left_snapshots", "Accepted, and not yet in the database.", stats.left_snapshots)
    yield _gauge("overround_queue_journal_refused", "1 while the disk refuses writes.", bool(stats.journal_error))
    yield _states("overround_queue_fill_state", "1 for the present one.", FillState, stats.fill)
    yield _states("overround_queue_writer_state", "1 for the present one.", WriterState, stats.state)


def _held_gauges(stats: QueueStats) -> Iterator[Metric]:
    rows = GaugeMetricFamily("overround_held_batches", "Parts of batches that are held back.", labels=["bookmaker"])
    size = GaugeMetricFamily("overround_held_bytes", "Their bytes.", labels=["bookmaker"])
    for one in stats.held:
        rows.add_metric([one.bookmaker], one.rows)
        size.add_metric([one.bookmaker], one.bytes)
    yield _gauge("overround_held_bookmakers", "Bookmakers whose rows are held back.", len(stats.held))
    yield rows
    yield size


def _queue_counters(stats: QueueStats) -> Iterator[Metric]:
    counters = (
        ("overround_queue_accepted_batches", "Batches that the journal took.", stats.accepted),
        ("overround_queue_written_batches", "Batches that the database has.", stats.written),
        ("overround_queue_accepted_snapshots", "Snapshots and confirmations accepted.", stats.accepted_snapshots),
        ("overround_queue_applied_snapshots", "Snapshots and confirmations committed.", stats.applied_snapshots),
        ("overround_queue_written_markets", "Market changes committed.", stats.markets_written),
        ("overround_queue_missed_confirmations", "Confirmations without a snapshot.", stats.missed_confirmations),
        ("overround_queue_dead_letters", "Units that the database could not take.", stats.dead_lettered),
        ("overround_queue_written_snapshots", "Snapshots committed.", stats.snapshots_written),
        ("overround_queue_written_confirmations", "Confirmations committed.", stats.confirmations_written),
        ("overround_queue_retried", "Writes tried again, whatever the class.", stats.retried),
        ("overround_queue_recovered_snapshots", "Accepted by an earlier process.", stats.recovered_snapshots),
        ("overround_queue_dead_snapshots", "Snapshots and confirmations in dead letters.", stats.dead_snapshots),
        ("overround_queue_held_snapshots", "Snapshots and confirmations held back.", stats.held_snapshots),
        ("overround_queue_settled_snapshots", "Of dead letters that were gone already.", stats.settled_snapshots),
        ("overround_queue_bisections", "Transactions searched for what fails.", stats.bisections),
        ("overround_journal_damaged_frames", "Damaged frames found in the journal.", stats.damaged_frames),
    )
    for name, text, value in counters:
        yield CounterMetricFamily(name, text, value=value)
    retries = CounterMetricFamily("overround_queue_retries", "Writes tried again.", labels=["class"])
    for error_class, count in stats.retries.items():
        retries.add_metric([error_class], count)
    yield retries


def _queue_latencies(stats: QueueStats) -> Iterator[Metric]:
    append = GaugeMetricFamily("overround_journal_append_seconds", "Latest appends, until synced.", labels=["quantile"])
    append.add_metric(["0.5"], stats.append_p50_ms / 1000)
    append.add_metric(["0.99"], stats.append_p99_ms / 1000)
    yield append
    yield _histogram("overround_queue_commit_seconds", "One transaction.", stats.commit)
    yield _histogram(
        "overround_queue_change_to_committed_seconds",
        "From a price's arrival to its commit.",
        stats.change_to_committed,
    )


def _connection_metrics(state: ApiState) -> Iterator[Metric]:
    room, figures = state.descriptors, state.connections.figures()
    yield _gauge("overround_open_files_limit", "Descriptors that the process may open.", room.soft)
    yield _gauge("overround_open_files_reserved", "Of these, kept for journal, database, bookmakers.", room.reserved)
    yield _gauge("overround_connections_most", "Connections of clients that may be open.", room.connections)
    yield _gauge("overround_connections_open", "Connections of clients.", figures.open)
    yield _gauge("overround_connections_silent", "Of these, without a whole request for 5 s.", figures.silent)
    refused, timed_out = figures.refused, figures.timed_out
    yield CounterMetricFamily("overround_connections_refused", "Closed, for there were as many as may be.", refused)
    yield CounterMetricFamily("overround_connections_timed_out", "Closed after 15 s of silence.", timed_out)


def _health_metrics(state: ApiState) -> Iterator[Metric]:
    found = reasons(state)
    yield _gauge("overround_ready", "1 while prices are served and journalled.", not not_ready(found))
    yield _gauge("overround_degraded", "1 while something else is wrong too.", bool(degraded(found)))
    family = GaugeMetricFamily(
        "overround_health_reason", "1 for each thing that is not well.", labels=["code", "effect", "bookmaker"]
    )
    for one in found:
        family.add_metric([one.code, one.effect.value, one.bookmaker], 1.0)
    present = {one.code for one in found}
    for rule in RULES:
        if rule.code not in present:
            family.add_metric([rule.code, rule.effect.value, ""], 0.0)
    yield family


def _integrity_metrics(state: ApiState) -> Iterator[Metric]:
    report = state.integrity.last
    if report is not None:
        yield _gauge("overround_integrity_lost_markets", "In the cache, not in the database: must be 0.", report.lost)
        yield _gauge("overround_integrity_extra_markets", "In the database, not in the cache: must be 0.", report.extra)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _states(name: str, text: str, states: Iterable[str], present: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        family.add_metric([str(state)], float(state == present))
    return family


def _histogram(name: str, text: str, latency: Latency) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=buckets(latency), sum_value=latency.sum)
