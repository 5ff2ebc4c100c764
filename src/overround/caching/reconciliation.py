"""Does the database hold what the cache holds? The counters must stay 0 once the queue is drained."""

from datetime import datetime

import msgspec

from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.caching.warmup import snapshot_to_cached_from_models
from overround.catalogue import Catalogue
from overround.ports import WarmupRepository


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Differences in markets: `lost` are missing or other in the database, `extra` are there alone."""

    compared: int
    lost: int
    extra: int


async def reconcile(
    cache: OddsCache, repository: WarmupRepository, catalogue: Catalogue, kickoff_after: datetime
) -> Reconciliation:
    """Compare the cache with the stored latest state of all events that start after `kickoff_after`."""
    stored = {
        (row.sr_id, row.bookmaker): snapshot_to_cached_from_models(row, catalogue)
        async for row in repository.latest(kickoff_after)
    }
    held = {(sr_id, bookmaker): cached for sr_id, bookmaker, cached in cache}
    lost = sum(_missing(cached, stored.get(key)) for key, cached in held.items())
    extra = sum(_missing(cached, held.get(key), differing=False) for key, cached in stored.items())
    return Reconciliation(compared=sum(len(cached.markets) for cached in held.values()), lost=lost, extra=extra)


def _missing(here: CachedSnapshot, there: CachedSnapshot | None, *, differing: bool = True) -> int:
    """Count the markets of `here` that `there` lacks or, if `differing`, has with other prices."""
    others = there.markets if there is not None else {}
    if differing:
        return sum(others.get(key) != prices for key, prices in here.markets.items())
    return len(here.markets.keys() - others.keys())
