"""Checks the prices in the cache against each other."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.catalogue import Catalogue
from overround.pricing.checks import check_event
from overround.pricing.probabilities import Priced
from overround.pricing.reports import finding


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The findings on all events, as objects."""

    events: int
    markets: int
    findings: tuple[Mapping[str, Any], ...]


async def check_cache(cache: OddsCache, book: EventRegister, catalogue: Catalogue) -> Checked:
    """Check all events, in a thread: the larger ones take longer than the event loop may be kept."""
    found: list[Mapping[str, Any]] = []
    events = list(book.events())
    markets = 0
    for event in events:
        prices = _offered(cache.event(event.sr_id))
        markets += sum(map(len, prices.values()))
        findings = await asyncio.to_thread(check_event, prices, catalogue)
        found += (finding(str(event.sr_id), one) for one in findings)
    return Checked(events=len(events), markets=markets, findings=tuple(found))


def _offered(snapshots: Mapping[str, CachedSnapshot]) -> Mapping[str, Priced]:
    return {
        slug: {key: prices for key, prices in cached.markets.items() if prices.prices}
        for slug, cached in snapshots.items()
    }
