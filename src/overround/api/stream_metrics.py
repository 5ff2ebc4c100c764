"""What Prometheus is told about the live streams."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from overround.api.metric_families import labelled
from overround.streaming.client import StreamFigures


def stream_metrics(figures: StreamFigures) -> Iterator[Metric]:
    """Yield the figures of all clients together."""
    yield GaugeMetricFamily("overround_stream_clients", "Clients that follow prices.", value=figures.clients)
    yield CounterMetricFamily("overround_stream_sent_bytes", "Bytes sent to all of them.", value=figures.bytes)
    yield CounterMetricFamily(
        "overround_stream_conflations", "Clients that fell behind and got newest states.", value=figures.conflations
    )
    yield labelled(
        CounterMetricFamily("overround_stream_resets", "Clients that had to begin anew, by reason.", labels=["reason"]),
        figures.resets,
    )
