"""The service that dies, is told to stop, or loses its database while it scrapes: short forms."""

import signal

import pytest

from tests.crash.service_drills import demo_kills, first_answers, outage, second_signal, service_kills, stops
from tests.crash.table import rendered

SEED = 20262


async def test_a_killed_service_loses_and_doubles_nothing() -> None:
    """Every acknowledged batch is in the database once, and the cache is what the database holds."""
    row = await service_kills(4, SEED)
    assert row.held, rendered([row])


async def test_a_killed_demo_loses_and_doubles_nothing() -> None:
    """Every acknowledged batch is there once, and the next demo's first answer is not behind the journal."""
    row = await demo_kills(2, SEED)
    assert row.held, rendered([row])


async def test_the_first_answer_after_a_kill_shows_the_journalled_prices() -> None:
    """What only the journal has is served by the next process, in its first answer."""
    row = await first_answers()
    assert row.held, rendered([row])


async def test_without_its_database_the_service_scrapes_and_answers() -> None:
    """The database goes and comes back: live, scraping, memory flat meanwhile; all there, once, afterwards."""
    row = await outage(3)
    assert row.held, rendered([row])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_service_drains_and_its_report_adds_up(how: signal.Signals) -> None:
    """Either signal ends a busy service clean: nothing pending, as many snapshots gone as came."""
    row = await stops(how)
    assert row.held, rendered([row])


async def test_a_second_signal_ends_at_once_and_loses_nothing() -> None:
    """Where draining takes long, a second signal ends the process; the next one delivers what it left."""
    row = await second_signal()
    assert row.held, rendered([row])
