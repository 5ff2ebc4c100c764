"""Merges batches into the tables through one connection, with the rows that account for each transaction."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

import asyncpg
import msgspec

from overround.catalogue import Catalogue
from overround.db.engine import while_connected
from overround.db.error_classes import sqlstate
from overround.records.batch import WriteBatch
from overround.records.writing import StampedBatch
from overround.storage import merge_sql
from overround.storage.batch_codec import body_hash, encode_batch
from overround.storage.bisection import Poison
from overround.storage.copy_format import TRAILER
from overround.storage.holding import HeldPart
from overround.storage.packing import (
    SNAPSHOT_COLUMNS,
    Load,
    Numbers,
    confirmation_columns,
    event_columns,
    listing_columns,
    run_columns,
    status_columns,
)
from overround.storage.units import UnitKind, payload_of

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
                _storable(part.sample),
                now,
            )
            for part in held
        ]
    )


def held_payloads(held: Sequence[HeldPart]) -> list[bytes]:
    """Return the bytes of the rows that are held back."""
    return [encode_batch(part.stamped.batch) for part in held]


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


PieceT = TypeVar("PieceT")


class Merged(msgspec.Struct, kw_only=True):
    """What a transaction has merged so far; `missed` are confirmations that found no stored snapshot."""

    snapshots: int = 0
    markets: int = 0
    confirmed: int = 0
    missed: tuple[tuple[int, str], ...] = ()
    new_markets: frozenset[int] = frozenset()


class Merger:
    """Merges within the transaction that its connection is in; `merged` counts what stayed."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        catalogue: Catalogue,
        numbers: Numbers,
        known_markets: set[int],
        now: datetime,
    ) -> None:
        """Merge with a connection; `known_markets` need not be written again."""
        self._connection = connection
        self._catalogue = catalogue
        self._numbers = numbers
        self._known_markets = known_markets
        self._now = now
        self.merged = Merged()

    async def merge(self, batches: Sequence[StampedBatch]) -> None:
        """Write the batches, which are in their order; on failure nothing of them.

        Raises:
            ContentError: a batch holds what no column takes.
            asyncpg.PostgresError, OSError: see `overround.db.error_classes`.
        """
        load = Load(batches, self._numbers)
        async with self._connection.transaction():
            markets = await self._merge_markets(batches)
            await self._merge_descriptions(batches)
            if load.snapshots:
                await self._copy_odds(load)
            missed = await self._confirm(batches)
        merged = self.merged
        merged.snapshots += load.snapshots
        merged.markets += load.markets
        merged.confirmed += sum(len(stamped.batch.confirmed) for stamped in batches) - len(missed)
        merged.missed += missed
        merged.new_markets |= markets

    async def _merge_markets(self, batches: Sequence[StampedBatch]) -> frozenset[int]:
        """Write those markets of the catalogue that the batches use, once; return their numbers."""
        used = {
            market.market for stamped in batches for snapshot in stamped.batch.snapshots for market in snapshot.markets
        }
        new = frozenset(used - self._known_markets - self.merged.new_markets)
        known = [market for number in sorted(new) if (market := self._catalogue.numbered(number)) is not None]
        if known:
            await self._connection.execute(
                merge_sql.MERGE_MARKETS,
                [market.number for market in known],
                [market.key for market in known],
                [market.name for market in known],
                [market.group for market in known],
                ["\n".join(market.outcomes) for market in known],
            )
        return new

    async def _merge_descriptions(self, batches: Sequence[StampedBatch]) -> None:
        # In a thread: the first batch of a cold start has all events and listings, and would keep the event loop long.
        for statement, columns in await asyncio.to_thread(self._descriptions, batches):
            if columns:
                await self._connection.execute(statement, *columns)

    def _descriptions(self, batches: Sequence[StampedBatch]) -> Sequence[tuple[str, Sequence[object] | None]]:
        return (
            (merge_sql.MERGE_EVENTS, event_columns(batches, self._now)),
            (merge_sql.MERGE_LISTINGS, listing_columns(batches, self._numbers)),
            (merge_sql.MERGE_RUNS, run_columns(batches)),
            (merge_sql.INSERT_STATUSES, status_columns(batches, self._numbers)),
        )

    async def _copy_odds(self, load: Load) -> None:
        await self._copy_history(load.history())
        async with aclosing(_encoded_ahead(load.latest())) as pieces:
            async for columns in pieces:
                await self._connection.execute(merge_sql.MERGE_LATEST, *columns)

    async def _copy_history(self, pieces: Iterator[bytes]) -> None:
        """Copy rows; where one cannot be encoded, end the copy in good order before saying so.

        The driver would end it by a cancel request, which can hit the statement after it.
        """
        failures: list[Exception] = []
        source = _stream(pieces, failures)
        async with while_connected(self._connection):
            await self._connection.copy_to_table(
                "odds_snapshots", source=source, columns=SNAPSHOT_COLUMNS, format="binary"
            )
        for failure in failures:
            raise failure

    async def _confirm(self, batches: Sequence[StampedBatch]) -> tuple[tuple[int, str], ...]:
        columns = confirmation_columns(batches, self._numbers)
        if not columns:
            return ()
        missed = await self._connection.fetch(merge_sql.CONFIRM, *columns)
        return tuple((event_id, self._numbers.slug(bookmaker_id)) for event_id, bookmaker_id in missed)


async def _stream(pieces: Iterator[bytes], failures: list[Exception]) -> AsyncIterator[bytes]:
    """Yield the pieces; where one cannot be encoded, the end of a copy in its place."""
    try:
        async with aclosing(_encoded_ahead(pieces)) as encoded:
            async for piece in encoded:
                yield piece
    except (ValueError, TypeError, OverflowError) as error:
        failures.append(error)
        yield TRAILER


async def _encoded_ahead(pieces: Iterator[PieceT]) -> AsyncGenerator[PieceT, None]:
    """Yield the pieces, each encoded in a thread, while the server has the one before: the event loop stays free."""
    ahead = asyncio.create_task(asyncio.to_thread(next, pieces, None), name="rows-encoded-ahead")
    try:
        while (piece := await ahead) is not None:
            ahead = asyncio.create_task(asyncio.to_thread(next, pieces, None), name="rows-encoded-ahead")
            yield piece
    finally:
        await asyncio.gather(ahead, return_exceptions=True)  # a thread cannot be interrupted
