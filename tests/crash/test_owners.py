"""Several services on one database, and wrong clocks: each drill once, judged by the bookmaker's ledger."""

from collections.abc import Awaitable, Callable

import pytest

from tests.crash.owner_drills import (
    clock_steps,
    cut_off_owner,
    restarted_database,
    standby_takes_over,
    stopped_owner,
    two_at_once,
)
from tests.crash.table import Row, rendered


@pytest.mark.parametrize("drill", [two_at_once, standby_takes_over, stopped_owner, cut_off_owner, restarted_database])
async def test_one_service_owns_the_database(drill: Callable[[], Awaitable[Row]]) -> None:
    """Whoever owns, every price served is stored once and in order, and the latest ones are the newest."""
    row = await drill()
    assert row.held, rendered([row])


async def test_a_wrong_clock_freezes_and_reorders_nothing() -> None:
    """Two hours back, three days and 200 days on: cycles go on, no price is old, every step is stored in order."""
    row = await clock_steps(2.0)
    assert row.held, rendered([row])
