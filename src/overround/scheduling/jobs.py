"""What the scheduler runs.

Apart because the phase plan names this file.
"""

from typing import Protocol

import msgspec
import structlog

from overround.caching.odds_cache import OddsCache
from overround.errors import OwnedElsewhereError, RunInProgressError
from overround.ports import ScrapeControl, WriteQueue
from overround.records.batch import RunKind, ScrapeRun

_log = structlog.get_logger(__name__)


class JobState(Protocol):
    """What jobs take from the application's state."""

    @property
    def write_queue(self) -> WriteQueue | None:
        """Return the write queue; None where the service writes inline."""

    @property
    def odds_cache(self) -> OddsCache:
        """Return the cache."""

    @property
    def control(self) -> ScrapeControl:
        """Return what starts runs."""


async def scrape_all_platforms(state: JobState, kind: RunKind = RunKind.CYCLE) -> ScrapeRun | None:
    """Run one cycle over all bookmakers and report on queue and cache; None where one is under way.

    None as well where another service owns the database.
    """
    try:
        run = await state.control.run_cycle(kind)
    except RunInProgressError as error:
        _log.warning("cycle_skipped", kind=kind, under_way=error.run_id)
        return None
    except OwnedElsewhereError as error:
        _log.warning("cycle_skipped", kind=kind, owner=error.holder)
        return None
    queue = state.write_queue
    _log.info(
        "write_queue_post_scrape",
        run=run.run_id,
        queue=msgspec.to_builtins(queue.stats()) if queue is not None else None,
        cache=msgspec.to_builtins(state.odds_cache.stats()),
    )
    return run
