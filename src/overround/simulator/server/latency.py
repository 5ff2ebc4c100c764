"""How long a simulated bookmaker takes to answer."""

import math
from enum import StrEnum

from overround.simulator.model.noise import normal, stream

_P95 = 1.645  # standard deviations above the mean of a normal distribution
_SECONDS = 0.001


class LatencyProfile(StrEnum):
    """Whose times the answers take."""

    NONE = "none"
    OBSERVED = "observed"


class AnswerLatency:
    """One bookmaker's times: their logarithms are normally distributed."""

    def __init__(self, seed: int, slug: str, median_and_p95_ms: tuple[int, int]) -> None:
        """Take the median and the 95th percentile, in milliseconds."""
        median, p95 = median_and_p95_ms
        self._key = stream(seed, "latency", slug)
        self._middle = math.log(median)
        self._spread = math.log(p95 / median) / _P95
        self._answers = 0

    def seconds(self) -> float:
        """Return the time of the next answer."""
        self._answers += 1
        return math.exp(self._middle + self._spread * normal(self._key, self._answers)) * _SECONDS
