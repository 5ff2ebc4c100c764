"""Shapes of Prometheus metrics that several groups share."""

from collections.abc import Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from overround.records.writing import Latency

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
