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
    return Cell(key, state.markets[key], state.previous.get(key), changed_at, state.own_times.get(key))


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
    then, now = old.own_times, new.own_times
    if then or now:
        own = [key for key in then.keys() | now.keys() if then.get(key) != now.get(key)]
        keys.update(dict.fromkeys(key for key in own if key in new.markets))
    return list(keys)
