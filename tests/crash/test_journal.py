"""What happens to the journal's files from outside: each drill once, judged by the bookmaker's ledger."""

import pytest

from tests.crash.account import compared
from tests.crash.journal_drills import (
    TAKEN_AWAY,
    descriptors_used_up,
    files_taken_away,
    stops_while_served,
    unreadable_at_start,
)
from tests.crash.table import rendered


async def test_idle_connections_that_use_up_the_descriptors_cost_no_price() -> None:
    """With no descriptor left, every price that the bookmaker served is stored once, and no damage is reported."""
    row = await descriptors_used_up()
    assert row.held, rendered([row])


async def test_a_journal_that_cannot_be_read_refuses_the_start() -> None:
    """The start ends with exit code 1 and one sentence, the journal is untouched, and the next start has it all."""
    row = await unreadable_at_start()
    assert row.held, rendered([row])


@pytest.mark.parametrize("how", list(TAKEN_AWAY))
async def test_files_that_are_taken_away_are_brought_back(how: str) -> None:
    """A service killed after its journal's files were taken away has lost nothing that it acknowledged since."""
    row = await files_taken_away(how)
    assert row.held, rendered([row])


async def test_what_was_served_before_a_stop_is_stored() -> None:
    """A service that is stopped in the middle of a cycle stores every price that the bookmaker served."""
    row = await stops_while_served(3)
    assert row.held, rendered([row])


def test_the_account_tells_what_is_lost_doubled_invented_and_wrong() -> None:
    """Prices that repeat are compared as steps, so that A, B, A is not taken for A, B."""
    found = compared({1: [10, 20, 10]}, {1: [10, 10, 20]}, {1: [20]})
    assert (found.lost, found.doubled, found.invented, found.wrong_latest) == (1, 1, 0, 1)
    assert compared({1: [10]}, {1: [10, 30]}, {1: [30]}).invented == 1
    assert compared({1: [10, 20]}, {1: [10, 20, 20]}, {1: [20]}).lost == 0
