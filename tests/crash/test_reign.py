"""Order and reign, judged by the bookmaker's ledger: each drill once."""

import pytest

from tests.crash.reign_drills import database_put_back, journal_put_back, journals_in_turns
from tests.crash.table import rendered


@pytest.mark.parametrize("frozen", [False, True], ids=["under load", "prices stand still"])
async def test_a_database_that_forgets_gets_everything_again(*, frozen: bool) -> None:
    """An older copy of the server takes its place: what was served is stored, and the latest is the newest."""
    row = await database_put_back(frozen=frozen)
    assert row.held, rendered([row])


async def test_a_journal_from_a_copy_loses_nothing() -> None:
    """A process on an older copy of the journal, without the database, loses nothing that it acknowledges."""
    row = await journal_put_back()
    assert row.held, rendered([row])


async def test_two_data_directories_in_turns_keep_one_order() -> None:
    """Services on the directories one, two, one leave the newest prices as the latest."""
    row = await journals_in_turns()
    assert row.held, rendered([row])
