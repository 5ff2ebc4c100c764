"""Commits batches to PostgreSQL: all of a call in one transaction, with the journal's watermark."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import Catalogue
from overround.db.engine import driver_connection
from overround.db.partitions import SNAPSHOTS, STATUSES, Partitioning, create_partitions
from overround.ports import Clock
from overround.storage import merge_sql
from overround.storage.packing import (
    LATEST_COLUMNS,
    SNAPSHOT_COLUMNS,
    STATUS_COLUMNS,
    Load,
    Numbers,
    confirmation_columns,
    event_columns,
    listing_columns,
    run_columns,
    status_rows,
)
from overround.writing import StampedBatch, WriteReport

_NOTHING = WriteReport(batches=0, snapshots=0, markets=0, confirmed=0)


class PostgresWriteHandler:
    """The write handler; one may serve several journals, and several handlers one database."""

    def __init__(
        self, engine: AsyncEngine, catalogue: Catalogue, bookmaker_numbers: Mapping[str, int], clock: Clock
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._numbers = Numbers(bookmaker_numbers)
        self._clock = clock
        # What the database is known to have; forgotten when a write fails, for it may be the reason.
        self._partitions: set[tuple[Partitioning, datetime]] = set()
        self._markets: set[int] = set()

    async def applied(self, journal_id: uuid.UUID) -> int:
        """Return the seq up to which the database has this journal's batches; 0 for a new journal."""
        async with driver_connection(self._engine) as connection:
            return await connection.fetchval(merge_sql.APPLIED, journal_id) or 0

    async def write(self, journal_id: uuid.UUID, batches: Sequence[StampedBatch]) -> WriteReport:
        """Commit the batches, which are in the order of their seq; those applied before are skipped.

        Raises:
            ContentError: a batch holds what no column takes.
            asyncpg.PostgresError, OSError, sqlalchemy.exc.DBAPIError: see `overround.db.error_classes`.
        """
        try:
            async with driver_connection(self._engine) as connection:
                await self._prepare_partitions(connection, batches)
                while True:
                    report = await self._try_write(connection, journal_id, batches)
                    if report is not None:
                        return report
        except BaseException:
            self._partitions.clear()
            self._markets.clear()
            raise

    async def _try_write(
        self, connection: asyncpg.Connection, journal_id: uuid.UUID, batches: Sequence[StampedBatch]
    ) -> WriteReport | None:
        """Return None where another writer moved the watermark meanwhile."""
        applied = await connection.fetchval(merge_sql.APPLIED, journal_id)
        todo = [stamped for stamped in batches if stamped.seq > (applied or 0)]
        if not todo:
            return _NOTHING
        return await self._transact(connection, journal_id, applied, todo)

    async def _transact(
        self, connection: asyncpg.Connection, journal_id: uuid.UUID, applied: int | None, todo: Sequence[StampedBatch]
    ) -> WriteReport | None:
        load = Load(todo, self._numbers)
        began = self._clock.monotonic()
        async with connection.transaction():
            if not await _move_watermark(connection, journal_id, applied, todo[-1]):
                return None
            await connection.execute(merge_sql.TRANSACTION_SETTINGS)
            new_markets = await self._merge_markets(connection, todo)
            await self._merge_descriptions(connection, todo)
            await _copy_odds(connection, load)
            missed = await self._confirm(connection, todo)
            merged = self._clock.monotonic()
        self._markets |= new_markets
        return WriteReport(
            batches=len(todo),
            snapshots=load.snapshots,
            markets=load.markets,
            confirmed=sum(len(stamped.batch.confirmed) for stamped in todo) - len(missed),
            missed=missed,
            flush_ms=(merged - began) * 1000,
            commit_ms=(self._clock.monotonic() - merged) * 1000,
        )

    async def _prepare_partitions(self, connection: asyncpg.Connection, batches: Sequence[StampedBatch]) -> None:
        missing = _partitions_of(batches) - self._partitions
        if missing:
            await create_partitions(connection, missing)
            self._partitions |= missing

    async def _merge_markets(self, connection: asyncpg.Connection, batches: Sequence[StampedBatch]) -> set[int]:
        """Write those markets of the catalogue that the batches use, once; return their numbers."""
        used = {
            market.market for stamped in batches for snapshot in stamped.batch.snapshots for market in snapshot.markets
        }
        new = used - self._markets
        known = [market for number in sorted(new) if (market := self._catalogue.numbered(number)) is not None]
        if known:
            await connection.execute(
                merge_sql.MERGE_MARKETS,
                [market.number for market in known],
                [market.key for market in known],
                [market.name for market in known],
                [market.group for market in known],
                ["\n".join(market.outcomes) for market in known],
            )
        return new

    async def _merge_descriptions(self, connection: asyncpg.Connection, batches: Sequence[StampedBatch]) -> None:
        for statement, columns in (
            (merge_sql.MERGE_EVENTS, event_columns(batches, self._clock.now())),
            (merge_sql.MERGE_LISTINGS, listing_columns(batches, self._numbers)),
            (merge_sql.MERGE_RUNS, run_columns(batches)),
        ):
            if columns:
                await connection.execute(statement, *columns)
        statuses = status_rows(batches, self._numbers)
        if statuses:
            await connection.copy_records_to_table("event_scrape_status", records=statuses, columns=STATUS_COLUMNS)

    async def _confirm(
        self, connection: asyncpg.Connection, batches: Sequence[StampedBatch]
    ) -> tuple[tuple[int, str], ...]:
        columns = confirmation_columns(batches, self._numbers)
        if not columns:
            return ()
        missed = await connection.fetch(merge_sql.CONFIRM, *columns)
        return tuple((event_id, self._numbers.slug(bookmaker_id)) for event_id, bookmaker_id in missed)


async def _move_watermark(
    connection: asyncpg.Connection, journal_id: uuid.UUID, applied: int | None, last: StampedBatch
) -> bool:
    if applied is None:
        await connection.execute(merge_sql.REGISTER_JOURNAL, journal_id, last.epoch)
    moved = await connection.fetchval(merge_sql.MOVE_WATERMARK, journal_id, applied or 0, last.seq, last.epoch)
    return moved is not None


async def _copy_odds(connection: asyncpg.Connection, load: Load) -> None:
    if load.snapshots == 0:
        return
    await connection.copy_to_table(
        "odds_snapshots", source=_stream(load.history()), columns=SNAPSHOT_COLUMNS, format="binary"
    )
    await connection.copy_to_table(
        "staged_latest", source=_stream(load.latest()), columns=LATEST_COLUMNS, format="binary"
    )
    await connection.execute(merge_sql.MERGE_LATEST)


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces, each encoded in a thread: the event loop stays free."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _partitions_of(batches: Sequence[StampedBatch]) -> set[tuple[Partitioning, datetime]]:
    snapshots = {
        (SNAPSHOTS, SNAPSHOTS.start(snapshot.captured_at))
        for stamped in batches
        for snapshot in stamped.batch.snapshots
    }
    statuses = {
        (STATUSES, STATUSES.start(status.scraped_at)) for stamped in batches for status in stamped.batch.statuses
    }
    return snapshots | statuses
