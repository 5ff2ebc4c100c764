"""What a snapshot changes against the cache: pure functions, run before the cache moves."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from overround.caching.odds_cache import CachedSnapshot, OddsCache, SnapshotRow
from overround.records.odds import NOT_OFFERED, REMOVED, UNREAD, MarketKey, MarketPrices, Snapshot, State

_NONE_CHANGED: Mapping[MarketKey, MarketPrices] = MappingProxyType({})


class ChangedSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A snapshot that differs from the cache: the markets to write, and the state that results.

    `first` tells that nothing was known before.
    """

    snapshot: Snapshot
    markets: Mapping[MarketKey, MarketPrices]
    state: CachedSnapshot
    first: bool


class UnchangedSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A snapshot that equals the cache, and the state with its newer times."""

    snapshot: Snapshot
    state: CachedSnapshot


Verdict = ChangedSnapshot | UnchangedSnapshot


class Prepared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A verdict reached as soon as a body had arrived; it holds while the cache still has `against`."""

    against: CachedSnapshot | None
    verdict: Verdict


class BatchChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A batch of snapshots by what they mean; the four parts add up to the batch."""

    changed: tuple[ChangedSnapshot, ...]
    confirmed: tuple[UnchangedSnapshot, ...]
    incomplete: tuple[UnchangedSnapshot, ...]
    overtaken: tuple[Snapshot, ...]


def prepare(cache: OddsCache, snapshot: Snapshot) -> Prepared:
    """Classify one snapshot ahead of its batch: comparing event by event spares the batch a long step."""
    cached = cache.get(snapshot.sr_id, snapshot.bookmaker)
    return Prepared(against=cached, verdict=_classify(cached, snapshot))


def classify_batch_changes(
    cache: OddsCache, snapshots: Iterable[Snapshot], prepared: Iterable[Prepared] = ()
) -> BatchChanges:
    """Sort snapshots into changed, confirmed, incomplete (equal, but no evidence) and overtaken.

    Overtaken: requested before the state that the cache has, or before another snapshot of the same batch. A clock
    takes no part: a machine's clock can be set back. A prepared verdict is taken where the cache has not moved
    since; otherwise the snapshot is classified again.
    """
    ahead = {id(one.verdict.snapshot): one for one in prepared}
    newest, overtaken = _newest_per_key(snapshots)
    changed: list[ChangedSnapshot] = []
    confirmed: list[UnchangedSnapshot] = []
    incomplete: list[UnchangedSnapshot] = []
    for snapshot in newest:
        cached = cache.get(snapshot.sr_id, snapshot.bookmaker)
        if cached is not None and snapshot.number < cached.number:
            overtaken.append(snapshot)
            continue
        early = ahead.get(id(snapshot))
        verdict = early.verdict if early is not None and early.against is cached else _classify(cached, snapshot)
        if isinstance(verdict, ChangedSnapshot):
            changed.append(verdict)
        else:
            (confirmed if snapshot.complete else incomplete).append(verdict)
    return BatchChanges(
        changed=tuple(changed), confirmed=tuple(confirmed), incomplete=tuple(incomplete), overtaken=tuple(overtaken)
    )


def update_cache(cache: OddsCache, changes: BatchChanges) -> None:
    """Move the cache to what was classified, changed and confirmed alike."""
    verdicts: tuple[Verdict, ...] = (
        *changes.changed,
        *changes.confirmed,
        *changes.incomplete,
    )
    for verdict in verdicts:
        cache.put(verdict.snapshot.sr_id, verdict.snapshot.bookmaker, verdict.state)


def markets_changed(cached: Mapping[MarketKey, MarketPrices], snapshot: Snapshot) -> Mapping[MarketKey, MarketPrices]:
    """Return the markets whose prices or state differ, with the new ones; removed markets as `REMOVED`.

    A market is removed when the snapshot could show it, is complete, and does not hold it.
    """
    fresh = snapshot.markets
    if fresh is cached:
        return _NONE_CHANGED
    known = cached.get
    changed = {key: prices for key, prices in fresh.items() if known(key) != prices}
    if snapshot.complete:
        changed.update(dict.fromkeys(_vanished(cached, snapshot), REMOVED))
    return changed


def _newest_per_key(snapshots: Iterable[Snapshot]) -> tuple[list[Snapshot], list[Snapshot]]:
    newest: dict[tuple[int, str], Snapshot] = {}
    overtaken: list[Snapshot] = []
    for snapshot in snapshots:
        key = (snapshot.sr_id, snapshot.bookmaker)
        rival = newest.get(key)
        if rival is None:
            newest[key] = snapshot
        else:
            older, newest[key] = sorted((rival, snapshot), key=lambda one: one.number)
            overtaken.append(older)
    return list(newest.values()), overtaken


def _classify(cached: CachedSnapshot | None, stated: Snapshot) -> Verdict:
    snapshot = _with_known_outcomes(cached, stated)
    if cached is None:
        return _first_sight(snapshot)
    changed = markets_changed(cached.markets, snapshot)
    if not changed and cached.accepted:
        return UnchangedSnapshot(snapshot=snapshot, state=_unchanged_state(cached, snapshot))
    state = _changed_state(cached, snapshot, changed)
    to_write = changed if cached.accepted else state.markets
    return ChangedSnapshot(snapshot=snapshot, markets=to_write, state=state, first=False)


def _with_known_outcomes(cached: CachedSnapshot | None, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with the cache's word where its body has none.

    An outcome that could not be read, or that an incomplete body lacks, has the state that the cache holds; without
    one it is not offered. Markets that the incomplete body of a suspended event lacks are suspended. The snapshot
    itself is returned where nothing is to be filled in.
    """
    held: Mapping[MarketKey, MarketPrices] = {} if cached is None else cached.markets
    filled = {
        key: _filled(market.prices, held.get(key, REMOVED).prices, also_absent=not snapshot.complete)
        for key, market in snapshot.markets.items()
        if UNREAD in market.prices or (not snapshot.complete and NOT_OFFERED in market.prices and key in held)
    }
    closed = _closed(held, snapshot) if snapshot.suspended and not snapshot.complete else {}
    if not filled and not closed:
        return snapshot
    markets = {**closed, **snapshot.markets, **filled}
    return msgspec.structs.replace(
        snapshot,
        markets={key: market for key, market in markets.items() if any(market.prices)},
        unproven=snapshot.unproven | filled.keys(),
        unread=frozenset(filled),
    )


def _filled(prices: Sequence[int], held: Sequence[int], *, also_absent: bool) -> MarketPrices:
    known = (*held, *[NOT_OFFERED] * len(prices))
    unread = (UNREAD, NOT_OFFERED) if also_absent else (UNREAD,)
    return MarketPrices(tuple([known[place] if price in unread else price for place, price in enumerate(prices)]))


def _closed(held: Mapping[MarketKey, MarketPrices], snapshot: Snapshot) -> Mapping[MarketKey, MarketPrices]:
    """Return the open markets that a snapshot lacks, suspended."""
    return {
        key: MarketPrices(tuple([-abs(price) for price in market.prices]))
        for key, market in held.items()
        if key not in snapshot.markets and market.state is State.ACTIVE
    }


def _first_sight(snapshot: Snapshot) -> ChangedSnapshot:
    state = CachedSnapshot(
        received_at=snapshot.received_at,
        confirmed_at=snapshot.received_at,
        since=snapshot.received_at,
        markets=snapshot.markets,
        body_hash=snapshot.body_hash,
        number=snapshot.number,
        seen=snapshot.seen,
        row=SnapshotRow(snapshot.snapshot_id, snapshot.received_at),
    )
    return ChangedSnapshot(snapshot=snapshot, markets=snapshot.markets, state=state, first=True)


def _unchanged_state(cached: CachedSnapshot, snapshot: Snapshot) -> CachedSnapshot:
    if not snapshot.complete:
        return msgspec.structs.replace(cached, received_at=snapshot.received_at, number=snapshot.number)
    return msgspec.structs.replace(
        cached,
        received_at=snapshot.received_at,
        confirmed_at=snapshot.received_at,
        markets=_shared(cached.markets, snapshot),
        own_times=_silent(cached, cached.markets, snapshot),
        body_hash=snapshot.body_hash,
        number=snapshot.number,
        seen=snapshot.seen,
    )


def _shared(markets: Mapping[MarketKey, MarketPrices], snapshot: Snapshot) -> Mapping[MarketKey, MarketPrices]:
    """Return a state's markets after a complete snapshot as the snapshot's own objects: who read it keeps them too.

    The state has all markets of the snapshot, so that equal sizes mean equal markets.
    """
    return snapshot.markets if len(markets) == len(snapshot.markets) else {**markets, **snapshot.markets}


def _changed_state(
    cached: CachedSnapshot, snapshot: Snapshot, changed: Mapping[MarketKey, MarketPrices]
) -> CachedSnapshot:
    complete = snapshot.complete
    markets = {**cached.markets, **changed}
    replaced = {key: cached.markets[key].prices for key in changed if key in cached.markets}
    return CachedSnapshot(
        received_at=snapshot.received_at,
        confirmed_at=snapshot.received_at if complete else cached.confirmed_at,
        since=cached.since,
        markets=_shared(markets, snapshot) if complete else markets,
        changed={**cached.changed, **dict.fromkeys(changed, snapshot.received_at)},
        own_times=_silent(cached, markets, snapshot)
        if complete
        else {**cached.own_times, **dict.fromkeys(changed, snapshot.received_at)},
        previous={**cached.previous, **replaced},
        moved_at=snapshot.received_at if changed else cached.moved_at,
        rewinds=cached.rewinds + bool(changed and snapshot.received_at <= (cached.moved_at or cached.since)),
        body_hash=snapshot.body_hash if complete else cached.body_hash,
        number=snapshot.number,
        seen=snapshot.seen if complete else cached.seen,
        row=SnapshotRow(snapshot.snapshot_id, snapshot.received_at),
    )


def _silent(
    cached: CachedSnapshot, held: Mapping[MarketKey, MarketPrices], snapshot: Snapshot
) -> Mapping[MarketKey, datetime]:
    """Return the held markets of which a complete body gives no word, with when they were last confirmed.

    `held` has every market of the snapshot: with equal sizes there is none.
    """
    if len(held) == len(snapshot.markets) and not snapshot.unread:
        return {}
    silent = [key for key in held.keys() - snapshot.markets.keys() if not _is_evidence(key, snapshot)]
    return {key: cached.market_confirmed_at(key) for key in (*silent, *snapshot.unread) if key in cached.markets}


def _vanished(cached: Mapping[MarketKey, MarketPrices], snapshot: Snapshot) -> Sequence[MarketKey]:
    absent = cached.keys() - snapshot.markets.keys()
    return [key for key in absent if cached[key].prices and _is_evidence(key, snapshot)]


def _is_evidence(key: MarketKey, snapshot: Snapshot) -> bool:
    """Tell whether the absence of a market from this complete snapshot means that it is not offered."""
    return key.market in snapshot.covered and key not in snapshot.unproven
