"""Where the results of fetches under way are put down, and taken from in lots to be stored."""

import asyncio
from collections.abc import Sequence

from overround.scraping.event_scrape import EventResult


class Landing:
    """The results that have come and are not stored yet.

    A batch of events is as slow as its slowest answer. What has come of it by then would be stored late, so that
    after `within` seconds whatever is there is a lot of its own; None waits for whole batches.
    """

    def __init__(self, within: float | None) -> None:
        self._within = within
        self._results: list[EventResult] = []

    def put(self, result: EventResult) -> None:
        """Put a result down."""
        self._results.append(result)

    async def lot(self, batch: asyncio.Task[None]) -> Sequence[EventResult]:
        """Return what there is once a batch has ended, or when something is there that has waited long enough."""
        while not batch.done():
            await asyncio.wait([batch], timeout=self._within)
            if self._results:
                break
        results, self._results = self._results, []
        return results
