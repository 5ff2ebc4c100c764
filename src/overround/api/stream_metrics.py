"""What Prometheus is told about the live streams."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from overround.api.metric_families import labelled
from overround.api.sse import Seats
from overround.api.stream_client import StreamFigures


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
