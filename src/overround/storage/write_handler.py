"""Commits batches to PostgreSQL in one transaction with the journal's watermark; inline where there is no queue."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import Catalogue
from overround.db.engine import driver_connection
from overround.db.error_classes import sqlstate
from overround.db.ownership import Fence, unfenced
from overround.db.partitions import SNAPSHOTS, STATUSES, Partitioning, create_partitions, has_partition
from overround.errors import ContentError, WatermarkWentBackError
from overround.ports import Clock, WriteHandler
from overround.records.batch import WriteBatch
from overround.records.writing import HistoryGap, StampedBatch, Watermark, WriteReport
from overround.storage import merge_sql
from overround.storage.bisection import Poison, Search, faults, misplaced
from overround.storage.holding import HeldPart, Holds
from overround.storage.merging import Merger, batch_columns, held_columns, held_payloads, letter_columns
from overround.storage.packing import Numbers
from overround.storage.units import Placed, Unit, UnitKind, regrouped, unit_counts, units_of

_NOTHING = WriteReport(batches=0, snapshots=0, markets=0, confirmed=0)

_log = structlog.get_logger(__name__)


class PostgresWriteHandler:
    """The write handler; one may serve several journals, and several handlers one database."""

    def __init__(
        self,
        engine: AsyncEngine,
        catalogue: Catalogue,
        bookmaker_numbers: Mapping[str, int],
        clock: Clock,
        holds: Holds | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Build it; `fence` is the first thing in each transaction, and raises where this process may not write."""
        self._engine = engine
        self._fence = fence
        self._catalogue = catalogue
        self._numbers = Numbers(bookmaker_numbers)
        self._clock = clock
        # What the database is known to have; forgotten when a write fails, for it may be the reason.
        self._partitions: set[tuple[Partitioning, datetime]] = set()
        self._markets: set[int] = set()
        self._holds = Holds(clock) if holds is None else holds

    async def register(self, generations: Sequence[uuid.UUID], *, late: bool = False) -> Mapping[uuid.UUID, Watermark]:
        """Give those generations that have none their number in the order of all, in the order given; return all.

        `late` ones come before the newest generation that there is: their rows are older than its rows.
        """
        async with driver_connection(self._engine) as connection:
            return await self._register(connection, generations, late=late)

    async def watermarks(self, generations: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Watermark]:
        """Return how far the database has those generations that it knows."""
        async with driver_connection(self._engine) as connection:
            return await _watermarks(connection, generations)

    def forget(self) -> None:
        """Believe nothing any longer about what the database has."""
        self._partitions.clear()
        self._markets.clear()
        self._holds.doubt()

    async def record_gaps(self, gaps: Sequence[HistoryGap]) -> None:
        """Record what is lost; a gap that is recorded already is not recorded again."""
        rows = [(gap.generation, gap.first_seq, gap.last_seq, gap.until, gap.found_at) for gap in gaps]
        async with driver_connection(self._engine) as connection, connection.transaction():
            await self._fence(connection)
            await connection.execute(merge_sql.TRANSACTION_SETTINGS)
            await connection.executemany(merge_sql.RECORD_GAP, rows)

    async def open_gaps(self) -> int:
        """Return how many recorded gaps nobody has acknowledged."""
        async with driver_connection(self._engine) as connection:
            return int(await connection.fetchval(merge_sql.OPEN_GAPS))

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Commit the batches, which are in the order of their seq; those applied before are skipped.

        Units that cannot be written for their content go into the dead letters in the same transaction. The further
        rows of a bookmaker with too many of them are held back.

        Raises:
            WatermarkWentBackError: the database says less than it `confirmed`; nothing was written.
            DeadLetterRunError: two bookmakers, or units of none, fail so; nothing was written.
            OwnershipLostError: another process owns the database; nothing was written.
            asyncpg.PostgresError, OSError, sqlalchemy.exc.DBAPIError: see `overround.db.error_classes`.
        """
        try:
            async with driver_connection(self._engine) as connection:
                while True:
                    report = await self._try_write(connection, generation, batches, confirmed)
                    if report is not None:
                        return report
        except BaseException:
            self.forget()
            raise

    async def _register(
        self, connection: asyncpg.Connection, generations: Sequence[uuid.UUID], *, late: bool = False
    ) -> Mapping[uuid.UUID, Watermark]:
        known = await _watermarks(connection, generations)
        new = [one for one in generations if one not in known]
        if new:
            async with connection.transaction():
                await self._fence(connection)
                await connection.execute(merge_sql.TRANSACTION_SETTINGS)
                await connection.execute(merge_sql.RAISE_EPOCHS)
                for one in new:
                    await connection.execute(merge_sql.REGISTER_LATE if late else merge_sql.REGISTER, one)
            known = await _watermarks(connection, generations)
        return known

    async def _try_write(
        self,
        connection: asyncpg.Connection,
        generation: uuid.UUID,
        batches: Sequence[StampedBatch],
        confirmed: int,
    ) -> WriteReport | None:
        """Return None where another writer moved the watermark meanwhile."""
        row = await connection.fetchrow(merge_sql.APPLIED, generation)
        epoch, applied = (0, 0) if row is None else (row["epoch"], row["applied"])
        if applied < confirmed:
            raise WatermarkWentBackError(applied, confirmed)
        if row is None:
            await self._register(connection, [generation])
            return None
        placed = [msgspec.structs.replace(stamped, epoch=epoch) for stamped in batches]
        todo = [stamped for stamped in placed if stamped.seq > applied]
        skipped = placed[: len(placed) - len(todo)]
        if not todo:
            return await _with_skipped(connection, _NOTHING, skipped)
        await self._prepare_partitions(connection, todo)
        report = await self._transact(connection, generation, applied, todo)
        return report and await _with_skipped(connection, report, skipped)

    async def _transact(
        self, connection: asyncpg.Connection, generation: uuid.UUID, applied: int, todo: Sequence[StampedBatch]
    ) -> WriteReport | None:
        began = self._clock.monotonic()
        async with self._holds.lock, connection.transaction():
            await self._fence(connection)
            if await connection.fetchval(merge_sql.MOVE_WATERMARK, generation, applied, todo[-1].seq) is None:
                return None
            await connection.execute(merge_sql.TRANSACTION_SETTINGS)
            await self._holds.load(connection)
            work, held = self._holds.divided(await _placed(connection, todo))
            units = unit_counts(placed.stamped.batch for placed in work if not placed.retried)
            merger = Merger(connection, self._catalogue, self._numbers, self._markets, self._clock.now())
            search = Search(merger.merge, self._holds.allowances.of(units), self._holds.lately())
            await self._write_work(search, work)
            held += self._holds.spared(search.spared, search.beyond)
            settled = set(range(len(todo))) - {placed.position for placed in work}
            sizes = await self._account(connection, todo, settled, search.poison, held)
            merged = self._clock.monotonic()
        self._markets |= merger.merged.new_markets
        self._holds.allowances.committed(units, search.dead)
        self._holds.begin(search.beyond)
        self._holds.added(held, sizes)
        report_dead(search.poison)
        return WriteReport(
            batches=len(todo),
            snapshots=merger.merged.snapshots,
            markets=merger.merged.markets,
            confirmed=merger.merged.confirmed,
            missed=merger.merged.missed,
            dead=len(search.poison),
            dead_snapshots=sum(one.unit.kind in SUMMED for one in search.poison),
            held=sum(part.snapshots for part in held),
            settled=sum(_summed(todo[position]) for position in settled),
            tries=search.tries,
            flush_ms=(merged - began) * 1000,
            commit_ms=(self._clock.monotonic() - merged) * 1000,
        )

    async def _write_work(self, search: Search, work: Sequence[Placed]) -> None:
        search.put_aside(
            [
                Poison(Unit(placed, UnitKind.BATCH), ContentError(placed.stamped.unreadable))
                for placed in work
                if placed.stamped.unreadable
            ]
        )
        readable = [placed for placed in work if not placed.stamped.unreadable]
        batches = [placed.stamped for placed in readable]
        error = misplaced(batches) or await search.failure(batches)
        if error is not None:
            await self._isolate(search, await asyncio.to_thread(units_of, readable), error)

    async def _isolate(self, search: Search, units: Sequence[Unit], error: Exception | None) -> None:
        """Write the units apart from those at fault; what did not reach the server can be named without a search."""
        named = {} if error is None or sqlstate(error) else await asyncio.to_thread(faults, units, self._numbers)
        if named:
            search.put_aside([Poison(unit, fault) for unit, fault in named.items()])
            units = search.not_spared([unit for unit in units if unit not in named])
            error = await search.failure(regrouped(units))
        await search.isolate(units, error)

    async def _account(
        self,
        connection: asyncpg.Connection,
        todo: Sequence[StampedBatch],
        settled: set[int],
        poison: Sequence[Poison],
        held: Sequence[HeldPart],
    ) -> Sequence[int]:
        """Write down what became of each batch; return the bytes of each part that is held."""
        now = self._clock.now()
        if poison:
            await connection.execute(merge_sql.BURY, *letter_columns(poison, now))
        sizes: Sequence[int] = ()
        if held:
            payloads = await asyncio.to_thread(held_payloads, held)
            await connection.execute(merge_sql.HOLD, *held_columns(held, now), payloads)
            sizes = [len(payload) for payload in payloads]
        columns = await asyncio.to_thread(batch_columns, todo, settled, poison, held, now)
        await connection.execute(merge_sql.RECORD_BATCHES, *columns)
        return sizes

    async def _prepare_partitions(self, connection: asyncpg.Connection, batches: Sequence[StampedBatch]) -> None:
        missing = partitions_of(batches) - self._partitions
        if missing:
            await create_partitions(connection, missing, self._fence)
            self._partitions |= missing


SUMMED: Final = frozenset({UnitKind.SNAPSHOT, UnitKind.CONFIRMATION})


def _summed(stamped: StampedBatch) -> int:
    return len(stamped.batch.snapshots) + len(stamped.batch.confirmed)


async def _watermarks(
    connection: asyncpg.Connection, generations: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, Watermark]:
    rows = await connection.fetch(merge_sql.WATERMARKS, list(generations))
    return {uuid.UUID(bytes=row["journal"].bytes): Watermark(row["epoch"], row["applied"]) for row in rows}


async def _placed(connection: asyncpg.Connection, todo: Sequence[StampedBatch]) -> list[Placed]:
    """Return what is to be applied, in the order of writes.

    The content of a dead letter takes the letter's own place in it, so that it cannot replace what
    was written meanwhile, and is left out where the letter has been settled or dropped already.
    """
    placed = [Placed(position, stamped) for position, stamped in enumerate(todo)]
    letters = [stamped.batch.dead_letter for stamped in todo if stamped.batch.dead_letter is not None]
    if not letters:
        return placed
    places = {row["id"]: row for row in await connection.fetch(merge_sql.SETTLE_LETTERS, letters)}
    work = []
    for one in placed:
        letter = one.stamped.batch.dead_letter
        if letter is None:
            work.append(one)
        elif (place := places.pop(letter, None)) is not None:
            moved = msgspec.structs.replace(one.stamped, epoch=place["epoch"], seq=place["seq"])
            work.append(Placed(one.position, moved))
    return sorted(work, key=lambda one: (one.stamped.epoch, one.stamped.seq))


async def _with_skipped(
    connection: asyncpg.Connection, report: WriteReport, skipped: Sequence[StampedBatch]
) -> WriteReport:
    """Add what the database recorded of batches that were applied by a call whose answer was lost."""
    if not skipped:
        return report
    seqs = [stamped.seq for stamped in skipped]
    recorded = await connection.fetchrow(merge_sql.RECORDED_BATCHES, skipped[0].epoch, seqs)
    return msgspec.structs.replace(
        report,
        applied_before=recorded["snapshots"] + recorded["confirmed"],
        dead_before=recorded["dead_snapshots"],
    )


def report_dead(poison: Sequence[Poison]) -> None:
    """Let the log name each unit that was put into the dead letters."""
    for one in poison:
        _log.error(
            "write_unit_dead_lettered",
            kind=one.unit.kind.value,
            seq=one.unit.placed.stamped.seq,
            run=one.unit.placed.stamped.batch.scrape_run_id,
            event_id=one.unit.event_id,
            bookmaker=one.unit.bookmaker,
            sqlstate=sqlstate(one.error),
            reason=str(one.error)[:500],
        )


def partitions_of(batches: Sequence[StampedBatch]) -> set[tuple[Partitioning, datetime]]:
    """Return the partitions that the rows of some batches need."""
    snapshots = {
        (SNAPSHOTS, SNAPSHOTS.start(snapshot.captured_at))
        for stamped in batches
        for snapshot in stamped.batch.snapshots
        if has_partition(snapshot.captured_at)
    }
    statuses = {
        (STATUSES, STATUSES.start(status.scraped_at))
        for stamped in batches
        for status in stamped.batch.statuses
        if has_partition(status.scraped_at)
    }
    return snapshots | statuses


class InlineWriter:
    """Stamps batches and commits them one by one, in the order of the calls."""

    def __init__(self, handler: WriteHandler) -> None:
        self._handler = handler
        self._generation = uuid.uuid4()
        self._seq = 0
        self._turn = asyncio.Lock()  # fair: it lets waiters in as they came

    @property
    def generation(self) -> uuid.UUID:
        """Return the generation of everything written here."""
        return self._generation

    async def write(self, batch: WriteBatch) -> WriteReport:
        """Commit a batch; its place in the order is taken before anything is awaited.

        Raises whatever the handler raises; the batch is then written or not, and may be offered again.
        """
        self._seq += 1
        stamped = StampedBatch(seq=self._seq, batch=batch)
        async with self._turn:
            report = await self._handler.write(self._generation, [stamped])
        return msgspec.structs.replace(report, place=(self._generation, stamped.seq))
