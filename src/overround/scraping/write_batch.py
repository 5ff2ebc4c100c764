"""From classified snapshots to what travels to the database."""

from collections.abc import Iterable

from overround.caching.change_detection import ChangedSnapshot, UnchangedSnapshot
from overround.catalogue import Catalogue
from overround.records.batch import (
    ConfirmedSnapshot,
    CurrentMarkets,
    MarketWriteData,
    SnapshotWriteData,
    current_columns,
)


def snapshot_write_data(changed: ChangedSnapshot, catalogue: Catalogue) -> SnapshotWriteData:
    """Return a changed snapshot as write data: the changed markets, and the rest of the state as it stays."""
    snapshot, number = changed.snapshot, catalogue.number
    return SnapshotWriteData(
        snapshot_id=snapshot.snapshot_id,
        sr_id=snapshot.sr_id,
        bookmaker=snapshot.bookmaker,
        captured_at=snapshot.received_at,
        body_hash=changed.state.body_hash,
        markets=tuple(
            [
                MarketWriteData(number(key.market), key.specifiers, prices.prices)
                for key, prices in changed.markets.items()
            ]
        ),
        unchanged=_unchanged(changed, catalogue),
    )


def _unchanged(changed: ChangedSnapshot, catalogue: Catalogue) -> CurrentMarkets:
    state, number, written = changed.state, catalogue.number, changed.markets
    if len(written) == len(state.markets):
        return CurrentMarkets()
    kept = [(key, prices.prices) for key, prices in state.markets.items() if key not in written]
    changed_at, since = state.changed.get, state.since
    # What was confirmed all at once has not changed since: asking market by market would take most of the time.
    together = state.confirmed_at == state.received_at and not state.own_times
    return current_columns(
        markets=[number(key.market) for key, _ in kept],
        specifiers=[key.specifiers for key, _ in kept],
        prices=[prices for _, prices in kept],
        changed_at=[changed_at(key, since) for key, _ in kept],
        confirmed_at=() if together else [state.market_confirmed_at(key) for key, _ in kept],
    )


def confirmations(confirmed: Iterable[UnchangedSnapshot]) -> tuple[ConfirmedSnapshot, ...]:
    """Return what complete, unchanged snapshots confirm."""
    return tuple(
        ConfirmedSnapshot(
            one.snapshot.sr_id, one.snapshot.bookmaker, one.snapshot.received_at, row.snapshot_id, row.captured_at
        )
        for one in confirmed
        if (row := one.state.row) is not None
    )
