"""Prices whose listing is gone, or has become another event's: they are withdrawn at once."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.records.odds import Snapshot

_LEAST = timedelta(microseconds=1)


def withdrawals(book: EventRegister, cache: OddsCache, clean: Collection[str], now: datetime) -> Iterator[Snapshot]:
    """Yield, for each (event, bookmaker) that has prices and no listing, a complete snapshot without markets.

    It takes a sign that the listing has left: it is known to be gone, or was another event's after this one's, or
    the bookmaker is among `clean`, whose lists all came whole. An event that has kicked off keeps its last prices.
    """
    left = book.left()
    for sr_id, bookmaker, cached in cache:
        event = book.event(sr_id)
        if event is None or event.kickoff <= now or book.is_listed(sr_id, bookmaker):
            continue
        departed = (sr_id, bookmaker) in left or bookmaker in clean
        if departed and any(prices.prices for prices in cached.markets.values()):
            yield _withdrawal(sr_id, bookmaker, cached, now)


def _withdrawal(sr_id: int, bookmaker: str, cached: CachedSnapshot, now: datetime) -> Snapshot:
    return Snapshot(
        sr_id=sr_id,
        bookmaker=bookmaker,
        received_at=max(now, cached.received_at + _LEAST),
        markets={},
        complete=True,
        covered=frozenset(key.market for key in cached.markets),
    )
