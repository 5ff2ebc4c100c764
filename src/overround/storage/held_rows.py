"""Writes the rows of a bookmaker that were held back, once its content can be written; or drops them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import Catalogue
from overround.db.engine import driver_connection, reachable_connection
from overround.db.ownership import Fence, unfenced
from overround.db.partitions import create_partitions
from overround.errors import NothingHeldError
from overround.ports import Clock
from overround.records.writing import StampedBatch
from overround.storage import merge_sql
from overround.storage.batch_codec import decode_batch
from overround.storage.bisection import Search
from overround.storage.holding import Holds, Released
from overround.storage.merging import Merger, letter_columns
from overround.storage.packing import Numbers
from overround.storage.units import Placed, UnitKind, unit_counts, units_of
from overround.storage.write_handler import SUMMED, partitions_of, report_dead

_PAUSE: Final = 1.0  # seconds between looks at which trial is due
_TRIED_ROWS: Final = 20
_TRIAL_PERCENT: Final = 5
_WITHOUT_LIMIT: Final = 1 << 62

Unaccept = Callable[[int, str], None]
Forget = Callable[[str], None]

_log = structlog.get_logger(__name__)


class HeldTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial showed: whether the rows can be written, why not, and what became of them."""

    bookmaker: str
    passed: bool
    reason: str = ""
    rows: int = 0
    applied: int = 0
    dead: int = 0


class HeldRows:
    """The rows that are held back in the database: tried once a minute, written in order, or dropped.

    A trial writes the newest of them, and takes that back. Where it passes, all are written in their order, each in a
    transaction of its own; units at fault go to the dead letters. An older row never replaces a newer latest state.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        catalogue: Catalogue,
        bookmaker_numbers: Mapping[str, int],
        clock: Clock,
        holds: Holds,
        fence: Fence = unfenced,
    ) -> None:
        self._fence = fence
        self._engine = engine
        self._catalogue = catalogue
        self._numbers = Numbers(bookmaker_numbers)
        self._clock = clock
        self._holds = holds
        self._one_at_a_time = asyncio.Lock()
        self.on_missed: Unaccept = lambda *_: None
        self.on_forgotten: Forget = lambda *_: None

    @property
    def holds(self) -> Holds:
        """Return which bookmakers are held back."""
        return self._holds

    @asynccontextmanager
    async def kept(self, ready: asyncio.Event) -> AsyncIterator[None]:
        """Try each bookmaker's rows once a minute, during the block and from when the database is ready."""
        task = asyncio.create_task(self._keep(ready), name="held-rows")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def retry(self, bookmaker: str) -> HeldTrial:
        """Try a bookmaker's rows now, and write them all where they pass.

        Raises:
            NothingHeldError: nothing is held back of that bookmaker.
            DatabaseUnavailableError: the database does not answer.
        """
        async with reachable_connection(self._engine) as connection:
            await self._load(connection)
        self._require(bookmaker)
        return await self._tried(bookmaker)

    async def drop(self, bookmaker: str) -> Released:
        """Delete a bookmaker's rows for good, and write its next ones as usual.

        Raises:
            NothingHeldError: nothing is held back of that bookmaker.
            DatabaseUnavailableError: the database does not answer.
        """
        async with self._one_at_a_time, reachable_connection(self._engine) as connection:
            await self._load(connection)
            self._require(bookmaker)
            async with self._holds.lock:
                row = await connection.fetchrow(merge_sql.DROP_HELD, bookmaker)
                outcome = Released(rows=row["rows"], dead=row["snapshots"])
                self._holds.released(bookmaker, 0, outcome)
                self._holds.end(bookmaker)
                # The cache has states that the database will not get: the next bodies count as changed.
                self.on_forgotten(bookmaker)
        _log.warning("held_rows_dropped", bookmaker=bookmaker, rows=outcome.rows, snapshots=outcome.dead)
        return outcome

    async def _keep(self, ready: asyncio.Event) -> None:
        await ready.wait()
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - supervision point: the next look tries again
                _log.warning("held_rows_not_tried", error=repr(error))
            await self._clock.sleep(_PAUSE)

    async def _look(self) -> None:
        if not self._holds.loaded:
            async with driver_connection(self._engine) as connection:
                await self._load(connection)
            for one in self._holds.shown():
                self.on_forgotten(one.bookmaker)
        for bookmaker in self._holds.due():
            await self._tried(bookmaker)

    async def _load(self, connection: asyncpg.Connection) -> None:
        async with self._holds.lock:
            await self._holds.load(connection)

    def _require(self, bookmaker: str) -> None:
        if bookmaker not in self._holds:
            raise NothingHeldError(bookmaker)

    async def _tried(self, bookmaker: str) -> HeldTrial:
        async with self._one_at_a_time:
            error = await self._trial(bookmaker)
            self._holds.tried(bookmaker, error)
            if error is not None:
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                _log.warning("held_rows_fail", bookmaker=bookmaker, reason=reason)
                return HeldTrial(bookmaker=bookmaker, passed=False, reason=reason)
            return await self._release(bookmaker)

    async def _trial(self, bookmaker: str) -> Exception | None:
        """Write the newest rows, and take that back; return an error if more than 5 % of their units are at fault."""
        async with driver_connection(self._engine) as connection:
            newest = await connection.fetch(merge_sql.NEWEST_HELD, bookmaker, _TRIED_ROWS)
            batches = [await _stamped(row) for row in reversed(newest)]
            await create_partitions(connection, partitions_of(batches), self._fence)
            allowed = unit_counts(stamped.batch for stamped in batches)[bookmaker] * _TRIAL_PERCENT // 100
            search = Search(self._merger(connection).merge, lambda _: allowed)
            transaction = connection.transaction()
            await transaction.start()
            try:
                error = await search.failure(batches)
                await search.isolate(units_of([Placed(*one) for one in enumerate(batches)]), error)
            finally:
                await transaction.rollback()
        return next((poison.error for poison in search.beyond.values()), None)

    async def _release(self, bookmaker: str) -> HeldTrial:
        rows = applied = dead = 0
        while (outcome := await self._oldest_released(bookmaker)) is not None:
            rows, applied, dead = rows + outcome.rows, applied + outcome.applied, dead + outcome.dead
        _log.info("held_rows_released", bookmaker=bookmaker, rows=rows, applied=applied, dead=dead)
        return HeldTrial(bookmaker=bookmaker, passed=True, rows=rows, applied=applied, dead=dead)

    async def _oldest_released(self, bookmaker: str) -> Released | None:
        """Write a bookmaker's oldest row; without one, end its hold and return None."""
        async with driver_connection(self._engine) as connection:
            outcome = await self._written(connection, bookmaker)
            if outcome is not None:
                return outcome
            # None is there. While the lock is held, no transaction can add one unseen.
            async with self._holds.lock:
                outcome = await self._written(connection, bookmaker)
                if outcome is None:
                    self._holds.end(bookmaker)
                return outcome

    async def _written(self, connection: asyncpg.Connection, bookmaker: str) -> Released | None:
        async with connection.transaction():
            await self._fence(connection)
            row = await connection.fetchrow(merge_sql.OLDEST_HELD, bookmaker)
            if row is None:
                return None
            stamped = await _stamped(row)
            await create_partitions(connection, partitions_of([stamped]))
            await connection.execute(merge_sql.TRANSACTION_SETTINGS)
            merger = self._merger(connection)
            search = Search(merger.merge, lambda _: _WITHOUT_LIMIT)
            error = await search.failure([stamped])
            await search.isolate(units_of([Placed(0, stamped)]), error)
            if search.poison:
                await connection.execute(merge_sql.BURY, *letter_columns(search.poison, self._clock.now()))
            dead = [sum(one.unit.kind is kind for one in search.poison) for kind in _IN_ORDER]
            await connection.execute(
                merge_sql.SETTLE_HELD, row["epoch"], row["seq"], row["snapshots"], row["confirmed"], *dead
            )
            await connection.execute(merge_sql.RELEASE_HELD, row["id"])
        report_dead(search.poison)
        for sr_id, missed in merger.merged.missed:
            self.on_missed(sr_id, missed)
        summed = sum(one.unit.kind in SUMMED for one in search.poison)
        outcome = Released(
            rows=1,
            applied=row["snapshots"] + row["confirmed"] - summed,
            dead=summed,
            letters=len(search.poison),
        )
        self._holds.released(bookmaker, len(row["payload"]), outcome)
        return outcome

    def _merger(self, connection: asyncpg.Connection) -> Merger:
        return Merger(connection, self._catalogue, self._numbers, set(), self._clock.now())


_IN_ORDER: Final[Sequence[UnitKind]] = (UnitKind.SNAPSHOT, UnitKind.CONFIRMATION)


async def _stamped(row: asyncpg.Record) -> StampedBatch:
    batch = await asyncio.to_thread(decode_batch, row["payload"])
    return StampedBatch(epoch=row["epoch"], seq=row["seq"], batch=batch, body=row["payload"])
