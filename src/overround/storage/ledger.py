"""The rows that account for a transaction: dead letters, and what became of each batch."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from overround.batch import WriteBatch
from overround.db.error_classes import sqlstate
from overround.storage.batch_codec import body_hash, encode_batch
from overround.storage.bisection import Poison
from overround.storage.holding import HeldPart
from overround.storage.units import UnitKind, payload_of
from overround.writing import StampedBatch

_REASON = 1000  # characters
_INTEGER, _BIGINT = 31, 63


def letter_columns(poison: Sequence[Poison], now: datetime) -> tuple[list[object], ...]:
    """Return the columns of the dead letters."""
    return _columns([_letter(one, now) for one in poison])


def batch_columns(
    batches: Sequence[StampedBatch],
    settled: Collection[int],
    poison: Sequence[Poison],
    held: Sequence[HeldPart],
    now: datetime,
) -> tuple[list[object], ...]:
    """Return the columns of `write_batches`; `settled` are the positions of batches that were not applied again."""
    held_snapshots, held_confirmed = Counter[int](), Counter[int]()
    for part in held:
        held_snapshots[part.position] += len(part.stamped.batch.snapshots)
        held_confirmed[part.position] += len(part.stamped.batch.confirmed)
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
                len(batch.snapshots) - dead_snapshots - held_snapshots[position],
                len(batch.confirmed) - dead_confirmed - held_confirmed[position],
                dead_snapshots,
                dead_confirmed,
                _hash_of(stamped),
                now,
                held_snapshots[position],
                held_confirmed[position],
            )
        )
    return _columns(rows)


def held_columns(held: Sequence[HeldPart], now: datetime) -> tuple[list[object], ...]:
    """Return the columns of `held_rows`, but for the payloads."""
    return _columns(
        [
            (
                part.bookmaker,
                part.stamped.epoch,
                part.stamped.seq,
                _fitting(part.stamped.batch.scrape_run_id, _BIGINT),
                _fitting(part.stamped.batch.batch_index, _INTEGER),
                len(part.stamped.batch.snapshots),
                len(part.stamped.batch.confirmed),
                part.sqlstate,
                storable(part.sample),
                now,
            )
            for part in held
        ]
    )


def held_payloads(held: Sequence[HeldPart]) -> list[bytes]:
    """Return the bytes of the rows that are held back."""
    return [encode_batch(part.stamped.batch) for part in held]


def reason_of(error: Exception) -> str:
    """Return the first line of why something failed, in text that PostgreSQL takes."""
    return storable(str(error).partition("\n")[0] or type(error).__name__)[:_REASON]


def _letter(poison: Poison, now: datetime) -> tuple[object, ...]:
    unit, stamped = poison.unit, poison.unit.placed.stamped
    payload_format, payload = payload_of(unit)
    return (
        unit.kind.value,
        stamped.epoch,
        stamped.seq,
        _fitting(stamped.batch.scrape_run_id, _BIGINT),
        _fitting(stamped.batch.batch_index, _INTEGER),
        _fitting(unit.event_id, _BIGINT),
        storable(unit.bookmaker),
        sqlstate(poison.error),
        reason_of(poison.error),
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


def storable(text: str) -> str:
    """Return text that PostgreSQL takes: what ails the unit must not ail its dead letter."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _columns(rows: Sequence[tuple[object, ...]]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
