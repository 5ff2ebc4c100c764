"""Scraping one event because somebody asks: one fetch for all who ask at once, and a pause before the next."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from overround.bookmakers.lanes import urgent
from overround.caching.odds_cache import OddsCache
from overround.errors import CoolingDownError
from overround.ports import Clock, EventScrape, MarketChange
from overround.records.batch import ScrapeRun
from overround.records.odds import REMOVED, MarketKey, MarketPrices
from overround.scraping.event_coordinator import EventCoordinator

Prices = Mapping[str, Mapping[MarketKey, MarketPrices]]


class _Flight(msgspec.Struct, kw_only=True):
    """A scrape under way, with what was known before it."""

    task: asyncio.Task[ScrapeRun]
    before: Prices


class OnDemandScraper:
    """Scrapes single events; whoever asks for one that is being scraped gets the same run."""

    def __init__(self, coordinator: EventCoordinator, cache: OddsCache, clock: Clock, cool_down: timedelta) -> None:
        """Build it; an event is scraped again only `cool_down` after the end of its last scrape."""
        self._coordinator = coordinator
        self._cache = cache
        self._clock = clock
        self._cool_down = cool_down.total_seconds()
        self._flights: dict[int, _Flight] = {}
        self._ended: dict[int, float] = {}

    async def scrape(self, sr_id: int) -> EventScrape:
        """Scrape one event at every bookmaker that lists it, and return the run and what changed.

        Raises:
            UnknownEventError: nobody lists it.
            CoolingDownError: it was scraped on demand just before.
        """
        flight = self._flights.get(sr_id)
        shared = flight is not None
        if flight is None:
            self._refuse_while_cooling(sr_id)
            flight = self._launch(sr_id)
        # Whoever waits may give up; the scrape goes on for the others.
        run = await asyncio.shield(flight.task)
        return EventScrape(run=run, shared=shared, changes=changes_between(flight.before, self._prices(sr_id)))

    async def cancel(self) -> None:
        """End the scrapes under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _launch(self, sr_id: int) -> _Flight:
        with urgent():  # somebody waits for it: a cycle's requests, which nobody counts, can let it go ahead
            task = asyncio.create_task(self._coordinator.scrape_event(sr_id), name=f"scrape-event-{sr_id}")
        flight = self._flights[sr_id] = _Flight(task=task, before=self._prices(sr_id))
        task.add_done_callback(lambda done: self._land(sr_id, done))
        return flight

    def _land(self, sr_id: int, done: asyncio.Task[ScrapeRun]) -> None:
        del self._flights[sr_id]
        if not done.cancelled() and done.exception() is None:
            self._ended[sr_id] = self._clock.monotonic()

    def _refuse_while_cooling(self, sr_id: int) -> None:
        now = self._clock.monotonic()
        self._ended = {key: at for key, at in self._ended.items() if now - at < self._cool_down}
        ended = self._ended.get(sr_id)
        if ended is not None:
            raise CoolingDownError(sr_id, ended + self._cool_down - now)

    def _prices(self, sr_id: int) -> Prices:
        return {slug: cached.markets for slug, cached in self._cache.event(sr_id).items()}


def changes_between(before: Prices, after: Prices) -> tuple[MarketChange, ...]:
    """Return the markets whose prices or states differ, by bookmaker; what was not known before is `REMOVED` there."""
    return tuple(
        MarketChange(bookmaker=slug, key=key, before=known.get(key, REMOVED), after=prices)
        for slug, markets in after.items()
        for known in [before.get(slug, {})]
        if known is not markets
        for key, prices in sorted(markets.items())
        if known.get(key, REMOVED) != prices
    )
