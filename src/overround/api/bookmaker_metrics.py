"""What Prometheus is told about the bookmakers."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from overround.api.bookmakers import held, last_success, seconds_since_success
from overround.api.metric_families import buckets, labelled
from overround.api.state import ApiState
from overround.bookmakers.breaker import BreakerState
from overround.bookmakers.statistics import FetchFigures
from overround.bookmakers.turns import TurnState
from overround.errors import ErrorClass

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
