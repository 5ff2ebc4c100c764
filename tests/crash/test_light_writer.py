"""A writer process that dies at every place of the write path, and a database that dies under it: short forms."""

import pytest

from tests.crash.drills import immediate_stops, kills, lost_commit_replies
from tests.crash.table import rendered
from tests.crash.writer import JournalKind

SEED = 20261


@pytest.mark.parametrize("part", [1, 2, 3])
async def test_a_killed_writer_loses_and_doubles_nothing(part: int) -> None:
    """Sixty lives on one journal, ended at random and at every kill point: all that was acknowledged is there, once."""
    row = await kills(JournalKind.SEGMENTED, 60, SEED + part)
    assert row.held, rendered([row])


async def test_a_killed_writer_with_a_journal_in_memory_loses() -> None:
    """The same drill sees what a journal that does not keep its promise loses."""
    row = await kills(JournalKind.MEMORY, 10, SEED)
    assert row.held, rendered([row])
    assert row.lost > 0


async def test_a_lost_commit_reply_doubles_nothing() -> None:
    """The connection is cut between COMMIT and its reply: what was committed is not written again."""
    row = await lost_commit_replies(JournalKind.SEGMENTED, 20, SEED)
    assert row.held, rendered([row])
    assert sum(row.faults.values()) == 20


async def test_a_crash_of_the_database_loses_and_doubles_nothing() -> None:
    """The database is stopped without clean-up under load: the writer goes on when it is back."""
    row = await immediate_stops(JournalKind.SEGMENTED, 2, SEED)
    assert row.held, rendered([row])
