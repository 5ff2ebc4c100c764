"""From classified snapshots to what travels to the database."""

import uuid
from collections.abc import Iterable

import uuid_utils

from overround.batch import ConfirmedSnapshot, CurrentMarketData, MarketWriteData, SnapshotWriteData
from overround.caching.change_detection import ChangedSnapshot, UnchangedSnapshot
from overround.catalogue import Catalogue


def snapshot_write_data(changed: ChangedSnapshot, catalogue: Catalogue) -> SnapshotWriteData:
    """Return a changed snapshot as write data: the changed markets, and the rest of the state as it stays."""
    snapshot, number = changed.snapshot, catalogue.number
    return SnapshotWriteData(
        snapshot_id=uuid.UUID(bytes=uuid_utils.uuid7().bytes),
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


def _unchanged(changed: ChangedSnapshot, catalogue: Catalogue) -> tuple[CurrentMarketData, ...]:
    state, number, written = changed.state, catalogue.number, changed.markets
    if len(written) == len(state.markets):
        return ()
    changed_at, since, confirmed_at = state.changed.get, state.since, state.market_confirmed_at
    # What was confirmed all at once has not changed since: asking market by market would take most of the time.
    together = state.confirmed_at if state.confirmed_at == state.received_at and not state.lagging else None
    return tuple(
        [
            CurrentMarketData(
                number(key.market), key.specifiers, prices.prices, changed_at(key, since), together or confirmed_at(key)
            )
            for key, prices in state.markets.items()
            if key not in written
        ]
    )


def confirmations(confirmed: Iterable[UnchangedSnapshot]) -> tuple[ConfirmedSnapshot, ...]:
    """Return what complete, unchanged snapshots confirm."""
    return tuple(
        ConfirmedSnapshot(one.snapshot.sr_id, one.snapshot.bookmaker, one.snapshot.received_at) for one in confirmed
    )
