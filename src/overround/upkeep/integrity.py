"""The comparison of cache and database on a running service, by the clock and on demand."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import msgspec
import structlog

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue
from overround.ports import Clock, WarmupRepository, WriteQueue
from overround.scraping.start_up import CatchUp
from overround.upkeep.reconciliation import Difference, Key, differing

_DRAIN_LIMIT = 30.0  # seconds

_log = structlog.get_logger(__name__)


class IntegrityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found, in markets: `lost` and `extra` must be 0; `moving` changed meanwhile."""

    checked_at: datetime
    compared: int
    lost: int
    extra: int
    moving: int


class IntegrityCheck:
    """Compares cache and database while scraping goes on.

    What differs at first sight is looked at again once the queue has written all that was on its
    way: where the cache has not moved since and the database still differs, something is wrong.
    """

    def __init__(
        self,
        cache: OddsCache,
        book: EventRegister,
        repository: WarmupRepository,
        catalogue: Catalogue,
        clock: Clock,
        write_queue: WriteQueue | None,
        catch_up: CatchUp | None = None,
    ) -> None:
        self._catch_up = catch_up
        self._cache = cache
        self._book = book
        self._repository = repository
        self._catalogue = catalogue
        self._clock = clock
        self._queue = write_queue
        self._one_at_a_time = asyncio.Lock()
        self.last: IntegrityReport | None = None

    async def run(self) -> IntegrityReport:
        """Compare, and remember the report; differences that stay are logged as an error.

        Raises:
            RecoveringError: the cache has not caught up yet with the journal.
        """
        if self._catch_up is not None:
            self._catch_up.require_done()
        async with self._one_at_a_time:
            self.last = await self._compare()
        if self.last.lost or self.last.extra:
            _log.error("integrity_broken", **msgspec.to_builtins(self.last))
        return self.last

    async def run_quietly(self) -> None:
        """Compare by the clock, once the cache has caught up; a database that is away is no finding."""
        if self._catch_up is not None:
            await self._catch_up.done.wait()
        try:
            await self.run()
        except Exception as error:  # noqa: BLE001 - supervision point: the next round tries again
            _log.warning("integrity_not_checked", error=repr(error))

    async def _compare(self) -> IntegrityReport:
        now = self._clock.now()
        first = await self._differing(now)
        if first and self._queue is not None:
            async with asyncio.timeout(_DRAIN_LIMIT):
                await self._queue.drain()
        second = await self._differing(now) if first else {}
        stayed = [
            difference
            for key, difference in second.items()
            if key in first and first[key].cached is difference.cached and self._cache.get(*key) is difference.cached
        ]
        return IntegrityReport(
            checked_at=now,
            compared=sum(len(cached.markets) for _, _, cached in self._cache),
            lost=sum(difference.lost for difference in stayed),
            extra=sum(difference.extra for difference in stayed),
            moving=len(second) - len(stayed),
        )

    async def _differing(self, now: datetime) -> Mapping[Key, Difference]:
        found = await differing(self._cache, self._book, self._repository, self._catalogue, now)
        # Rows that are held back are in the cache and not where the comparison looks: that is no fault.
        held = {one.bookmaker for one in self._queue.stats().held} if self._queue is not None else ()
        return {key: difference for key, difference in found.items() if key[1] not in held}
