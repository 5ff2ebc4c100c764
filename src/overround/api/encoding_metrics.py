"""What Prometheus is told about events in encoded form."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from overround.api.events.encoder import EventEncoder
from overround.api.events.fragments import ALL_MARKETS, Fragments


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
