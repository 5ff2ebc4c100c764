import math

import pytest

from benchmarks.pipeline.efficiency import mean_latency


def test_mean_of_equal_median_and_p95_is_the_median() -> None:
    """Without a spread every answer takes the same time."""
    assert mean_latency(500, 500) == pytest.approx(500)


def test_mean_latency_is_above_the_median_where_answers_spread() -> None:
    """A long tail makes the mean longer than the median: the bound counts means."""
    assert math.isclose(mean_latency(505, 979), 547.3, abs_tol=0.5)
