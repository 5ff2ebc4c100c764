"""What a drill takes place on: a real PostgreSQL of its own, a ledger, and what forks the writers."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from overround.db.embedded import DATABASE, USER, running_postgres
from overround.db.engine import create_engine
from overround.db.migrate import upgrade
from overround.db.repositories import BookmakerRepository
from overround.db.server_home import home_of
from tests.crash.kill_points import KillPoint
from tests.crash.ledger import count_acks
from tests.crash.oracle import Findings, examine
from tests.crash.writer import JournalKind, Plan
from tests.crash.zygote import Life, Zygote, running_zygote
from tests.integration.write_data import NUMBERS

_POLL = 0.02  # seconds
_PATIENCE = 120.0


async def until(condition: Callable[[], bool], what: str, limit: float = _PATIENCE) -> None:
    """Wait for a condition that nobody announces.

    Raises:
        TimeoutError: it did not come within the limit, in seconds.
    """
    nothing = asyncio.Event()
    try:
        async with asyncio.timeout(limit):
            while not condition():
                await _at_most(nothing, _POLL)
    except TimeoutError as error:
        raise TimeoutError(f"waited {limit:.0f} s in vain: {what}") from error


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()


class Arena(msgspec.Struct, frozen=True, kw_only=True):
    """The place of one drill with one journal."""

    data_dir: Path
    place: Path
    sockets: str
    zygote: Zygote
    journal: JournalKind
    seed: int

    def plan(
        self,
        generation: int,
        *,
        producers: int = 4,
        batches: int = 10**9,
        sockets: str | None = None,
        kill_point: KillPoint | None = None,
        passes: int = 1,
        max_bytes: int = 4_000_000,
    ) -> Plan:
        """Return the plan of one life."""
        return Plan(
            sockets=sockets or self.sockets,
            place=str(self.place),
            journal=self.journal,
            seed=self.seed,
            generation=generation,
            producers=producers,
            batches=batches,
            max_bytes=max_bytes,
            kill_point=kill_point,
            passes=passes,
        )

    async def drain(self, generation: int) -> None:
        """Let one more writer deliver what the journal holds."""
        life = await self.zygote.spawn(self.plan(generation, producers=0))
        assert await life.end(_PATIENCE) == 0, "the writer that drains failed; it says why on stderr"

    async def stop(self, life: Life) -> None:
        """Tell a writer to stop, which drains."""
        life.send(signal.SIGTERM)
        assert await life.end(_PATIENCE) == 0, "the writer did not stop clean; it says why on stderr"

    def acked(self) -> int:
        """Return how many batches have been acknowledged."""
        return count_acks(self.place)

    async def applied(self) -> int:
        """Return how far the watermarks are, all together."""
        connection = await asyncpg.connect(host=self.sockets, user=USER, database=DATABASE)
        try:
            return int(await connection.fetchval("select coalesce(sum(applied), 0) from journal_watermarks"))
        finally:
            await connection.close()

    async def progress(self, life: Life) -> None:
        """Wait until a running writer has had more batches acknowledged and applied."""
        applied, acked = await self.applied(), self.acked()
        await until(lambda: self.acked() > acked or life.ended.done(), "acknowledgements")
        while not life.ended.done() and await self.applied() <= applied:
            await life.lasts(_POLL)
        assert not life.ended.done(), "the writer ended by itself; it says why on stderr"

    async def examine(self) -> Findings:
        """Compare ledger and database."""
        return await examine(self.sockets, self.place)

    def postmaster(self) -> int:
        """Return the server's process id; 0 while it has none, or is not ready."""
        try:
            lines = (home_of(self.data_dir).cluster / "postmaster.pid").read_text("ascii").splitlines()
            return int(lines[0]) if lines[7].strip() == "ready" else 0
        except (OSError, ValueError, IndexError):
            return 0

    async def stop_postgres_at_once(self) -> None:
        """Stop the server without any clean-up, as a crash does, and wait until it has been started again."""
        before = self.postmaster()
        os.kill(before, signal.SIGQUIT)
        await until(lambda: self.postmaster() not in {0, before}, "the server's restart")


@asynccontextmanager
async def arena(journal: JournalKind, seed: int) -> AsyncIterator[Arena]:
    """Set a place up; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="overround-crash-") as directory:
        place = Path(directory) / "writer"
        place.mkdir()
        data_dir = Path(directory) / "data"
        async with running_postgres(data_dir, ephemeral=True) as url, running_zygote() as zygote:
            await upgrade(url)
            engine = create_engine(url, "overround crash bench")
            await BookmakerRepository(engine).register({number: (slug, slug) for slug, number in NUMBERS.items()})
            await engine.dispose()
            yield Arena(
                data_dir=data_dir,
                place=place,
                sockets=str(home_of(data_dir).sockets),
                zygote=zygote,
                journal=journal,
                seed=seed,
            )
