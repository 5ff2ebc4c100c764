from datetime import UTC, datetime

import pytest

from benchmarks.pipeline.machine import this_machine
from benchmarks.pipeline.results import LARGE, SMALL, Growth, GrowthPoint
from benchmarks.pipeline.yardstick import Yardstick


def point(size: tuple[int, int], cost: float, decode: float) -> GrowthPoint:
    """Return a measured size."""
    return GrowthPoint(
        events=size[0],
        bookmakers=size[1],
        snapshots=size[0] * size[1],
        cycle_ms=1,
        cpu_us_per_snapshot=cost,
        decode_us=decode,
        rss_mb=1,
        bytes_per_snapshot=1,
    )


def growth(before: GrowthPoint, large: GrowthPoint, after: GrowthPoint | None) -> Growth:
    """Return a run of the small size, the large one, and the small one again."""
    return Growth(
        at=datetime(2026, 3, 1, tzinfo=UTC), machine=this_machine(), seed=1, points=(before, large), again=after
    )


def test_costs_are_compared_in_bare_decodings() -> None:
    """A machine that is half as fast meanwhile makes nothing dearer; the small size is the mean of before and after."""
    found = growth(point(SMALL, 500, 250), point(LARGE, 1100, 500), point(SMALL, 880, 400))
    assert found.spread == pytest.approx(1.1)
    assert found.cost_ratio == pytest.approx(2.2 / 2.1)


@pytest.mark.parametrize("after", [point(SMALL, 600, 250), point(SMALL, 400, 250), None])
def test_a_size_that_differs_from_itself_resolves_nothing(after: GrowthPoint | None) -> None:
    """Where the small size costs over 15 % more or less the second time, there is no verdict, nor without that one."""
    assert growth(point(SMALL, 500, 250), point(LARGE, 500, 250), after).cost_ratio is None


def test_every_seventh_body_is_decoded_once_more() -> None:
    """What is decoded is what is measured, and each taking begins anew."""
    yardstick, decoded = Yardstick(), list[bytes]()
    for number in range(21):
        yardstick.watch(decoded.append, bytes([number]))
    assert decoded == [b"\x06", b"\x0d", b"\x14"]
    seconds, one = yardstick.taken()
    assert seconds == pytest.approx(3 * one)
    assert yardstick.taken() == (0, 0)
