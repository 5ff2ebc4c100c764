"""Writing again what only memory has: the database has forgotten it, and the journal does not have it any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import structlog

from overround.caching.event_register import listing_data
from overround.records.batch import WriteBatch
from overround.scraping.event_coordinator import ScrapeContext
from overround.scraping.storing import NO_RUN, BatchStore

_AT_ONCE = 50
_PAUSE = 1.0  # seconds, before another try

_log = structlog.get_logger(__name__)


class StateRewriter:
    """Hands all events, listings, runs and latest states to the write path when it is asked to.

    `lost` is set by the one who finds out. States come last: a reader of the database finds their events.
    """

    def __init__(self, context: ScrapeContext, store: BatchStore, lost: asyncio.Event) -> None:
        self._context = context
        self._store = store
        self._lost = lost

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen during the block."""
        task = asyncio.create_task(self._listen(), name="state-rewriter")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            await self._lost.wait()
            self._lost.clear()
            try:
                await self.write_again()
            except Exception as error:  # noqa: BLE001 - supervision point: the journal's disk may refuse for a while
                _log.error("rewriting_failed", error=repr(error))
                self._lost.set()
                await self._context.clock.sleep(_PAUSE)

    async def write_again(self) -> None:
        """Write everything that is known.

        Raises:
            QueueClosedError: the write path is closed.
            JournalWriteError: the journal's disk refused; some of it is written already.
        """
        context = self._context
        events = context.book.events()
        while some := tuple(islice(events, _AT_ONCE)):
            await self._store.write(WriteBatch(scrape_run_id=NO_RUN, batch_index=0, events=some))
        listings = context.book.known()
        while found := tuple(islice(listings, _AT_ONCE)):
            data = tuple(map(listing_data, found))
            await self._store.write(WriteBatch(scrape_run_id=NO_RUN, batch_index=0, listings=data))
        for run in reversed(context.runs.newest()):
            await self._store.write(WriteBatch(scrape_run_id=run.run_id, batch_index=0, run=run))
        keys = iter([(sr_id, bookmaker) for sr_id, bookmaker, _ in context.cache])
        count = 0
        while some_keys := tuple(islice(keys, _AT_ONCE)):
            await self._store.write_again(some_keys)
            count += len(some_keys)
        _log.warning("states_written_again", states=count)
