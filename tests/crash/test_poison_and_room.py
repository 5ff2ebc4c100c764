"""Clients and content that take what others need: short forms."""

import pytest

from tests.crash.poison_drills import nul_in_names, refused_content
from tests.crash.room_drills import crowded
from tests.crash.table import rendered


async def test_a_nul_in_names_costs_its_character_alone() -> None:
    """Names with a NUL are stored with U+FFFD, the bookmaker is named, and no price is lost over a kill."""
    row = await nul_in_names(20, others=False)
    assert row.held, rendered([row])


async def test_refused_content_of_a_bookmaker_is_held_and_written_later() -> None:
    """While the database refuses one bookmaker the others go on; once it takes it, every served price is stored."""
    row = await refused_content(others=True)
    assert row.held, rendered([row])


@pytest.mark.parametrize(("hard", "least"), [(4096, 1000), (1024, 700)])
async def test_a_crowd_of_clients_takes_nothing_from_the_journal(hard: int, least: int) -> None:
    """Streams beyond the seats get 503, silence is closed, and no served price is lost."""
    row = await crowded(1100, 1024, hard, least, seconds=5.0, least_pace=0.0)
    assert row.held, rendered([row])
