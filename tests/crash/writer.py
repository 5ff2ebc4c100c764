"""The light writer: the real queue, journal and handler in a process that is there to be killed."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import msgspec
import structlog
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.embedded import DATABASE, USER
from overround.db.engine import create_engine
from overround.ports import Journal
from overround.storage.attempts import Backoff
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.memory import MemoryJournal
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from tests.crash.kill_points import Killer, KillingDisk, KillingHandler, KillingJournal, KillPoint
from tests.crash.ledger import Ack, Ledger, Offer, Offered
from tests.crash.payload import BatchMaker, digest_of
from tests.integration.write_data import CATALOGUE, NUMBERS

_SEGMENT_BYTES = 20_000  # so that a short life sees several
_STOP_DEADLINE = 120.0  # seconds
_BACKOFF = Backoff(base=0.01, cap=0.2)


class JournalKind(StrEnum):
    """Which journal stands before the database."""

    MEMORY = "memory"
    SEGMENTED = "segmented"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a writer process.

    `sockets` is where PostgreSQL listens; `place` holds journal and ledger. With 0 producers the
    process drains what the journal holds, and ends; else it offers up to `batches`, and waits for SIGTERM
    to stop, which drains.
    """

    sockets: str
    place: str
    journal: JournalKind
    seed: int
    generation: int
    producers: int = 4
    batches: int = 10**9
    max_bytes: int = 4_000_000
    kill_point: KillPoint | None = None
    passes: int = 1


def _memory(plan: Plan, _: Killer) -> Journal:
    return MemoryJournal(SystemClock(), plan.max_bytes)


def _segmented(plan: Plan, killer: Killer) -> Journal:
    disk = KillingDisk(LocalDisk(Path(plan.place) / "journal"), killer)
    return SegmentedJournal(disk, SystemClock(), max_bytes=plan.max_bytes, segment_bytes=_SEGMENT_BYTES)


JOURNALS: Mapping[JournalKind, Callable[[Plan, Killer], Journal]] = MappingProxyType(
    {JournalKind.MEMORY: _memory, JournalKind.SEGMENTED: _segmented}
)


def run(plan: Plan) -> None:
    """Live one life."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_live(plan))


async def _live(plan: Plan) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with _running_queue(plan) as queue:
        ledger = Ledger(Path(plan.place), plan.generation)
        maker = BatchMaker(plan.seed, plan.generation)
        if plan.producers:
            produce = (_produce(queue, maker, ledger, plan.batches) for _ in range(plan.producers))
            await _until_stopped(stopping, asyncio.gather(*produce))
        await queue.drain()


async def _until_stopped(stopping: asyncio.Event, work: Awaitable[object]) -> None:
    """Do the work, and whether done with it or not wait for the signal; what the work raises is raised at once."""
    task = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((stop, task), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    await stop
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _running_queue(plan: Plan) -> AsyncIterator[AsyncWriteQueue[AsyncEngine]]:
    killer = Killer(plan.kill_point, plan.passes)
    clock = SystemClock()
    url = URL.create("postgresql+asyncpg", USER, database=DATABASE, query={"host": plan.sockets})
    engine = create_engine(url.render_as_string(), "overround crash bench")
    journal = KillingJournal(JOURNALS[plan.journal](plan, killer), killer)
    queue = AsyncWriteQueue(
        session_factory=engine,
        journal=journal,
        handler=lambda engine: KillingHandler(PostgresWriteHandler(engine, CATALOGUE, NUMBERS, clock), killer),
        clock=clock,
        backoff=_BACKOFF,
    )
    await journal.open()
    await queue.start()
    yield queue
    await queue.stop(_STOP_DEADLINE)
    await journal.close()
    await engine.dispose()


async def _produce(queue: AsyncWriteQueue[AsyncEngine], maker: BatchMaker, ledger: Ledger, batches: int) -> None:
    """Offer batches one after the other; a batch's place in time and in the order are taken in one step."""
    while maker.made < batches:
        batch = maker.batch()
        number = maker.made
        ledger.offer(Offer(number, tuple(Offered(one.snapshot_id, digest_of(one)) for one in batch.snapshots)))
        entry = await queue.enqueue(batch)
        ledger.ack(Ack(number, str(entry.generation), entry.seq))
        await asyncio.sleep(0)
