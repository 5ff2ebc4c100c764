"""Filling the cache when the service starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import structlog

from overround.caching.warmup import warm_cache_from_db
from overround.ports import LinkRepository, WarmupRepository
from overround.scraping.event_coordinator import ScrapeContext

_log = structlog.get_logger(__name__)


class WarmUp:
    """Fills the cache from the database: before anything else where it answers, else once it does."""

    def __init__(
        self,
        ready: asyncio.Event,
        repository: WarmupRepository,
        links: LinkRepository,
        context: ScrapeContext,
        grace: timedelta,
        runs_remembered: int,
        caught_up: asyncio.Event,
    ) -> None:
        self._caught_up = caught_up
        self._ready = ready
        self._repository = repository
        self._links = links
        self._context = context
        self._grace = grace
        self._runs_remembered = runs_remembered
        self.done = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm up now, or in the background during the block."""
        if self._ready.is_set():
            await self._warm()
            yield
            return
        # Greater than any id counted from one, and growing with time: the ids in the database are not known.
        self._context.runs.warm((), int(self._context.clock.now().timestamp()))
        task = asyncio.create_task(self._warm_later(), name="warm-up")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _warm_later(self) -> None:
        await self._ready.wait()
        await self._caught_up.wait()  # what the cache has counts as newer than what the database has
        while not self.done.is_set():
            try:
                await self._warm()
            except Exception as error:  # noqa: BLE001 - supervision point: the database may go away again
                _log.error("warm_up_failed", error=repr(error))
                await self._context.clock.sleep(1)

    async def _warm(self) -> None:
        clock, context, repository = self._context.clock, self._context, self._repository
        began = clock.monotonic()
        kickoff_after = clock.now() - self._grace
        for link in await self._links.links():
            context.book.link(link)
        report = await warm_cache_from_db(
            repository, context.cache, context.book, context.catalogue, kickoff_after, clock
        )
        context.runs.warm(await repository.runs(self._runs_remembered), await repository.last_run_id())
        self.done.set()
        duration = round((clock.monotonic() - began) * 1000, 1)
        _log.info("cache_warmed", duration_ms=duration, **msgspec.to_builtins(report))
