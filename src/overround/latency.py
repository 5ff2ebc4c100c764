"""How long things take: a histogram since start, percentiles over the newest."""

from bisect import bisect_left
from collections import deque
from itertools import accumulate

from overround.records.writing import Latency

_WINDOW = 1024
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds


class LatencyWindow:
    """Collects durations in bounded memory."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=_WINDOW)
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration; one that a stepping clock made negative counts as none."""
        seconds = max(seconds, 0.0)
        self._newest.append(seconds)
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum += seconds

    def latency(self) -> Latency:
        """Return the distribution."""
        ordered = sorted(self._newest)
        return Latency(
            count=sum(self._counts),
            sum=round(self._sum, 6),
            p50=_percentile(ordered, 50),
            p95=_percentile(ordered, 95),
            p99=_percentile(ordered, 99),
            buckets=dict(zip(_BOUNDS, accumulate(self._counts), strict=False)),
        )


def _percentile(ordered: list[float], percent: int) -> float:
    return round(ordered[(len(ordered) - 1) * percent // 100], 6) if ordered else 0.0
