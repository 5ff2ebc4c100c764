"""Does the database hold what the cache holds? The counters must stay 0 once the queue is drained."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.caching.warmup import SharedKeys, snapshot_to_cached_from_models
from overround.catalogue import Catalogue
from overround.ports import WarmupRepository
from overround.records.odds import MarketKey, MarketPrices

Key = tuple[int, str]
_INSTANT = timedelta(microseconds=1)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How one (event, bookmaker) differs, in markets, and the cache's entry that was compared."""

    lost: int
    extra: int
    cached: CachedSnapshot | None


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Differences in markets: `lost` are missing or other in the database, `extra` are there alone."""

    compared: int
    lost: int
    extra: int


async def reconcile(
    cache: OddsCache, book: EventRegister, repository: WarmupRepository, catalogue: Catalogue, now: datetime
) -> Reconciliation:
    """Compare the cache with the stored latest state."""
    differences = await differing(cache, book, repository, catalogue, now)
    return Reconciliation(
        compared=sum(len(cached.markets) for _, _, cached in cache),
        lost=sum(difference.lost for difference in differences.values()),
        extra=sum(difference.extra for difference in differences.values()),
    )


async def differing(
    cache: OddsCache, book: EventRegister, repository: WarmupRepository, catalogue: Catalogue, now: datetime
) -> Mapping[Key, Difference]:
    """Return what differs, by (event, bookmaker).

    All that is cached must be stored; all that is stored of events yet to start must be cached. An event that has
    started is dropped from the cache after a time, and not from the database. Each stored row is compared with the
    cache as it is when the row arrives: where scraping goes on, a difference may only mean that a change is on its
    way.
    """
    found: dict[Key, Difference] = {}
    missing = {(sr_id, bookmaker) for sr_id, bookmaker, _ in cache}
    since = min((event.kickoff for event in book.events()), default=now)
    keys = SharedKeys(catalogue)
    to_come = {event.sr_id for event in await repository.events(now)}
    async for row in repository.latest(min(since, now) - _INSTANT):
        key = (row.sr_id, row.bookmaker)
        missing.discard(key)
        cached = cache.get(*key)
        if cached is None and row.sr_id not in to_come:
            continue
        held: Mapping[MarketKey, MarketPrices] = cached.markets if cached is not None else {}
        stored = snapshot_to_cached_from_models(row, catalogue, keys).markets
        if held != stored:
            found[key] = _difference(held, stored, cached)
    for key in missing:
        cached = cache.get(*key)
        if cached is not None:
            found[key] = _difference(cached.markets, {}, cached)
    return found


def _difference(
    held: Mapping[MarketKey, MarketPrices], stored: Mapping[MarketKey, MarketPrices], cached: CachedSnapshot | None
) -> Difference:
    lost = sum(stored.get(key) != prices for key, prices in held.items())
    return Difference(lost=lost, extra=len(stored.keys() - held.keys()), cached=cached)
