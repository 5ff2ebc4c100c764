"""Filling the cache at start: what the database has, then what the journal still holds."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain

import msgspec

from overround.caching.event_register import EventRegister, KnownListing
from overround.caching.odds_cache import CachedSnapshot, OddsCache, SnapshotRow
from overround.catalogue import Catalogue
from overround.clock import monotonic_at
from overround.gc_pauses import resting
from overround.ports import Clock, WarmupRepository
from overround.records.batch import Instants, ListingWriteData, SnapshotWriteData
from overround.records.event import Event
from overround.records.odds import MarketKey, MarketPrices
from overround.records.stored import LatestRow, StoredListing

_UNKNOWN_LEAGUE = ""

_NO_MARKET = MarketKey("")


class SharedKeys(dict[tuple[int, str], MarketKey]):
    """By a market's number and specifiers: one object for all snapshots that have the market."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Make keys of a catalogue's markets; `_NO_MARKET` of what it does not have."""
        super().__init__()
        self._catalogue = catalogue

    def __missing__(self, pair: tuple[int, str]) -> MarketKey:
        """Enter the key of a pair, and return it."""
        number, specifiers = pair
        market = self._catalogue.numbered(number)
        key = self[pair] = _NO_MARKET if market is None else MarketKey(market.key, specifiers)
        return key


class WarmupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What warm-up found; `unknown_markets` are numbers that this release's catalogue does not have."""

    events: int
    snapshots: int
    markets: int
    unknown_markets: int


async def warm_cache_from_db(
    repository: WarmupRepository,
    cache: OddsCache,
    book: EventRegister,
    catalogue: Catalogue,
    kickoff_after: datetime,
    clock: Clock | None = None,
) -> WarmupReport:
    """Fill cache and book with what the database holds of events that start after `kickoff_after`.

    `clock` tells how old the prices are; without one, the process has held them since its monotonic clock began.

    What the cache has already, scraped while the database was away, stays; markets that only the
    database knows join it, so that the next complete body can tell that they are gone.
    """
    for event in await repository.events(kickoff_after):
        if book.event(event.sr_id) is None:
            book.put_event(event)
    for stored in await repository.listings(kickoff_after):
        if book.find(stored.listing) is None:
            book.put_listing(_known(stored, kickoff_after))
    held = total = 0
    keys = SharedKeys(catalogue)
    with resting():
        async for row in repository.latest(kickoff_after):
            cached = _aged(snapshot_to_cached_from_models(row, catalogue, keys), clock)
            cache.put(row.sr_id, row.bookmaker, _joined(cached, cache.get(row.sr_id, row.bookmaker)))
            held += len(cached.markets)
            total += len(row.markets)
    stats = cache.stats()
    return WarmupReport(
        events=len(book), snapshots=stats.snapshots, markets=stats.markets, unknown_markets=total - held
    )


def _aged(cached: CachedSnapshot, clock: Clock | None) -> CachedSnapshot:
    if clock is None:
        return cached
    return msgspec.structs.replace(cached, seen=monotonic_at(clock, cached.confirmed_at))


def snapshot_to_cached_from_models(
    row: LatestRow, catalogue: Catalogue, keys: SharedKeys | None = None
) -> CachedSnapshot:
    """Return the cache entry for a stored latest state; markets unknown to this catalogue are left out.

    With a table of keys, the entry shares those that are in it. Column by column: a start waits for half a million
    markets.
    """
    captured_at, confirmed_at = row.captured_at, row.last_confirmed_at or row.captured_at
    known = SharedKeys(catalogue) if keys is None else keys
    found = list(map(known.__getitem__, zip(row.markets, row.specifiers, strict=True)))
    markets = dict(zip(found, map(MarketPrices, row.prices), strict=True))
    since = min(row.changed_at, default=captured_at)
    changed = {key: at for key, at in zip(found, row.changed_at, strict=True) if at != since}
    own = {key: at for key, at in zip(found, row.confirmed_at, strict=bool(row.confirmed_at)) if at != captured_at}
    for column in (markets, changed, own):
        column.pop(_NO_MARKET, None)
    return CachedSnapshot(
        received_at=confirmed_at,
        confirmed_at=confirmed_at,
        since=since,
        markets=markets,
        changed=changed,
        own_times=own,
        moved_at=max(changed.values(), default=None),
        body_hash=row.body_hash,
        row=SnapshotRow(row.snapshot_id, captured_at, row.place),
        accepted=True,
    )


def snapshot_to_cached_from_data(
    data: SnapshotWriteData, catalogue: Catalogue, keys: SharedKeys | None = None
) -> CachedSnapshot:
    """Return the cache entry for a journalled snapshot that the database may not have yet."""
    return snapshot_to_cached_from_models(_journalled_row(data), catalogue, keys)


def apply_journalled(
    cache: OddsCache,
    snapshots: Iterable[SnapshotWriteData],
    catalogue: Catalogue,
    keys: SharedKeys | None = None,
    clock: Clock | None = None,
    *,
    accepted: bool = True,
) -> None:
    """Put journalled snapshots over what the database had, oldest first; `clock` tells how old they are.

    Not `accepted`: nobody knows what the database has, so that the next body of each is written whole.
    """
    for data in snapshots:
        cached = _aged(snapshot_to_cached_from_data(data, catalogue, keys), clock)
        cache.put(data.sr_id, data.bookmaker, msgspec.structs.replace(cached, accepted=accepted))


def enter_journalled(book: EventRegister, events: Iterable[Event], listings: Iterable[ListingWriteData]) -> None:
    """Enter journalled events and listings over what the database had, oldest first."""
    for event in events:
        book.put_event(event)
    for data in listings:
        book.put_listing(
            KnownListing(
                listing=data.listing,
                league=_UNKNOWN_LEAGUE,
                first_seen_at=data.seen_at,
                seen_at=data.seen_at,
                gone_at=data.gone_at,
                duplicate=data.duplicate,
            )
        )


def _joined(stored: CachedSnapshot, newer: CachedSnapshot | None) -> CachedSnapshot:
    if newer is None:
        return stored
    only_stored = stored.markets.keys() - newer.markets.keys()
    same = (key for key, prices in newer.markets.items() if stored.markets.get(key) == prices)
    since = {key: newer.market_changed_at(key) for key in newer.markets}
    since.update((key, stored.market_changed_at(key)) for key in chain(only_stored, same))
    return msgspec.structs.replace(
        newer,
        since=stored.since,
        moved_at=max(since.values(), default=None),
        markets={**stored.markets, **newer.markets},
        changed=since,
        own_times={**newer.own_times, **{key: stored.market_confirmed_at(key) for key in only_stored}},
    )


def _journalled_row(data: SnapshotWriteData) -> LatestRow:
    at, own = data.captured_at, data.markets
    markets, specifiers, prices, changed_at, confirmed_at = data.unchanged.unpacked(at, Instants())
    return LatestRow(
        sr_id=data.sr_id,
        bookmaker=data.bookmaker,
        snapshot_id=data.snapshot_id,
        captured_at=at,
        last_confirmed_at=None,
        body_hash=data.body_hash,
        markets=[*(market.market for market in own), *markets],
        specifiers=[*(market.specifiers for market in own), *specifiers],
        prices=[*(market.prices for market in own), *prices],
        changed_at=[at] * len(own) + list(changed_at),
        confirmed_at=[at] * len(own) + list(confirmed_at),
    )


def _known(stored: StoredListing, seen_at: datetime) -> KnownListing:
    return KnownListing(
        listing=stored.listing,
        league=_UNKNOWN_LEAGUE,
        first_seen_at=seen_at,
        seen_at=seen_at,
        gone_at=stored.gone_at,
        duplicate=stored.duplicate,
    )
