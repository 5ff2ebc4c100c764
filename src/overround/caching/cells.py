"""One market of a latest state with its times: what a reader is told of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from overround.caching.odds_cache import CachedSnapshot
from overround.records.odds import MarketKey, MarketPrices


class Cell(msgspec.Struct, frozen=True, gc=False):
    """A market at one bookmaker; `confirmed_at` is None where it is that of the whole state."""

    key: MarketKey
    prices: MarketPrices
    previous: tuple[int, ...] | None
    changed_at: datetime
    confirmed_at: datetime | None


def cell_of(state: CachedSnapshot, key: MarketKey) -> Cell:
    """Return a market that a state holds."""
    changed_at = state.market_changed_at(key)
    own_time = _own_time(state, key, changed_at)
    return Cell(key, state.markets[key], state.previous.get(key), changed_at, own_time)


def cells_of(state: CachedSnapshot, keys: Iterable[MarketKey]) -> Sequence[Cell]:
    """Return those of some markets that a state holds."""
    return [cell_of(state, key) for key in keys if key in state.markets]


def told_anew(old: CachedSnapshot, new: CachedSnapshot) -> Sequence[MarketKey] | None:
    """Return the markets of which a reader of an older state is to be told; None: of all.

    A market that moved to and fro has the same prices, and is told: its times are others.
    """
    if old.since != new.since:
        return None
    keys: dict[MarketKey, None] = {}
    if old.changed is not new.changed:
        before = old.changed.get
        keys = dict.fromkeys([key for key, at in new.changed.items() if before(key) != at])
    if _has_own_times(old) or _has_own_times(new):
        keys.update(dict.fromkeys(key for key in _with_own_times(old, new) if _differs(old, new, key)))
    return list(keys)


def _own_time(state: CachedSnapshot, key: MarketKey, changed_at: datetime) -> datetime | None:
    if key in state.lagging or changed_at > state.confirmed_at:
        return state.market_confirmed_at(key)
    return None


def _has_own_times(state: CachedSnapshot) -> bool:
    return bool(state.lagging) or state.received_at != state.confirmed_at


def _with_own_times(old: CachedSnapshot, new: CachedSnapshot) -> Iterable[MarketKey]:
    candidates = old.lagging.keys() | new.lagging.keys() | old.changed.keys() | new.changed.keys()
    return [key for key in candidates if key in new.markets]


def _differs(old: CachedSnapshot, new: CachedSnapshot, key: MarketKey) -> bool:
    before, after = (_own_time(state, key, state.market_changed_at(key)) for state in (old, new))
    return before != after
