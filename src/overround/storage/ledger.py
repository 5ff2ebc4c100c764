"""The rows that account for a transaction: dead letters, and what became of each batch."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from overround.db.error_classes import sqlstate
from overround.records.batch import WriteBatch
from overround.records.writing import StampedBatch
from overround.storage.batch_codec import body_hash, encode_batch
from overround.storage.bisection import Poison
from overround.storage.units import UnitKind, payload_of

_REASON = 1000  # characters
_INTEGER, _BIGINT = 31, 63


def letter_columns(poison: Sequence[Poison], now: datetime) -> tuple[list[object], ...]:
    """Return the columns of the dead letters."""
    return _columns([_letter(one, now) for one in poison])


def batch_columns(
    batches: Sequence[StampedBatch], settled: Collection[int], poison: Sequence[Poison], now: datetime
) -> tuple[list[object], ...]:
    """Return the columns of `write_batches`; `settled` are the positions of batches that were not applied again."""
    dead = Counter((one.unit.placed.position, one.unit.kind) for one in poison)
    rows = []
    for position, stamped in enumerate(batches):
        batch = WriteBatch(scrape_run_id=0, batch_index=0) if position in settled else stamped.batch
        dead_snapshots, dead_confirmed = dead[position, UnitKind.SNAPSHOT], dead[position, UnitKind.CONFIRMATION]
        rows.append(
            (
                stamped.epoch,
                stamped.seq,
                _fitting(stamped.batch.scrape_run_id, _BIGINT),
                _fitting(stamped.batch.batch_index, _INTEGER),
                len(batch.snapshots) - dead_snapshots,
                len(batch.confirmed) - dead_confirmed,
                dead_snapshots,
                dead_confirmed,
                _hash_of(stamped),
                now,
            )
        )
    return _columns(rows)


def _letter(poison: Poison, now: datetime) -> tuple[object, ...]:
    unit, stamped = poison.unit, poison.unit.placed.stamped
    payload_format, payload = payload_of(unit)
    reason = str(poison.error).partition("\n")[0] or type(poison.error).__name__
    return (
        unit.kind.value,
        stamped.epoch,
        stamped.seq,
        _fitting(stamped.batch.scrape_run_id, _BIGINT),
        _fitting(stamped.batch.batch_index, _INTEGER),
        _fitting(unit.event_id, _BIGINT),
        _storable(unit.bookmaker),
        sqlstate(poison.error),
        _storable(reason)[:_REASON],
        now,
        payload_format.value,
        payload,
    )


def _hash_of(stamped: StampedBatch) -> bytes:
    if stamped.body:
        return body_hash(stamped.body)
    try:
        return body_hash(encode_batch(stamped.batch))
    except (ValueError, TypeError, OverflowError):  # never journalled: it could not have been
        return b""


def _fitting(number: int | None, bits: int) -> int | None:
    return number if number is not None and -(2**bits) <= number < 2**bits else None


def _storable(text: str) -> str:
    """Return text that PostgreSQL takes: what ails the unit must not ail its dead letter."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _columns(rows: Sequence[tuple[object, ...]]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
