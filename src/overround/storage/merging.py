"""Merges batches into the tables through one connection; all of a call, or nothing of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

import asyncpg
import msgspec

from overround.catalogue import Catalogue
from overround.db.engine import while_connected
from overround.records.writing import StampedBatch
from overround.storage import merge_sql
from overround.storage.copy_format import TRAILER
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
