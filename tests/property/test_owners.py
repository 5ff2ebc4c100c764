"""Any course of owners: take-overs, pauses, cut-offs, ended connections and clock steps, against a model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum

import asyncpg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.engine import create_engine, driver_connection
from overround.db.ownership import Holder, Ownership
from overround.errors import NotOwnerError, OwnedElsewhereError, OwnershipLostError

PROCESSES = 2
HASTE = 10


class Do(Enum):
    """What happens to a process, or to the database under it."""

    START = "it starts, or tries to own"
    STOP = "it ends in its own order"
    KILL = "it ends without a word"
    PAUSE = "it stands still: nothing of it runs"
    RESUME = "it goes on"
    OPEN = "it begins a transaction"
    COMMIT = "it commits what it has begun"
    WRITE = "it writes in a transaction of its own"
    CUT = "its connections end, as when PostgreSQL restarts"
    CLOCK = "the database's clock steps by days"


COURSE = st.lists(st.tuples(st.sampled_from(list(Do)), st.integers(0, PROCESSES - 1)), max_size=30)
LATE_WRITE = [(Do.START, 0), (Do.PAUSE, 0), (Do.START, 1), (Do.WRITE, 1), (Do.RESUME, 0), (Do.WRITE, 0)]
LATE_COMMIT = [(Do.START, 0), (Do.OPEN, 0), (Do.PAUSE, 0), (Do.START, 1), (Do.WRITE, 1), (Do.RESUME, 0), (Do.COMMIT, 0)]


class Gate:
    """The clock of one process: ten times as fast as real ones, and its sleepers stand still with the process."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.open = asyncio.Event()
        self.open.set()
        self.now = self._clock.now

    def monotonic(self) -> float:
        """Return seconds."""
        return self._clock.monotonic() * HASTE

    async def sleep(self, seconds: float) -> None:
        """Wait that long, and until the process runs."""
        await self._clock.sleep(seconds / HASTE)
        await self.open.wait()


class Process:
    """One service: its claim, its renewals, and the transaction that it has open."""

    def __init__(self, name: str, url: str) -> None:
        self.gate = Gate()
        self.claim = Ownership(url, Holder(name=name, machine="", pid=1), self.gate)
        self._url = url
        self._stack = AsyncExitStack()
        self.connection: asyncpg.Connection | None = None

    async def take(self) -> bool:
        """Try to own; return whether it does now."""
        await self._stack.enter_async_context(self.claim.kept())
        try:
            await self.claim.take()
        except OwnedElsewhereError:
            await self.stop()
            return False
        return True

    async def begin(self) -> None:
        """Open a transaction behind the fence, with a row that only its commit shows."""
        engine = create_engine(self._url, "overround tests", pool_size=1)
        self._stack.push_async_callback(engine.dispose)
        connection = await self._stack.enter_async_context(abandoned(engine))
        self.connection = connection
        await connection.execute("begin")
        await self.claim.hold(connection)
        await connection.execute("insert into course (token) values ($1)", self.claim.token)

    async def commit(self) -> bool:
        """Commit; return whether that was possible."""
        connection, self.connection = self.connection, None
        assert connection is not None
        try:
            await connection.execute("commit")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def stop(self) -> None:
        """End in order: the lease is given back."""
        self.gate.open.set()
        await self._stack.aclose()

    async def kill(self) -> None:
        """End without a word: nothing is given back, and what is open is rolled back by the server."""
        self.claim.token = None
        await self.stop()


@asynccontextmanager
async def abandoned(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection, and throw it away."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        lent = raw.driver_connection
        assert isinstance(lent, asyncpg.Connection)
        yield lent
        await connection.invalidate()


class Course:
    """Processes on one database, and who must own it by the model: the last that took it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._url = engine.url.render_as_string(hide_password=False)
        self._processes: dict[int, Process] = {}
        self._paused: set[int] = set()
        self._owner: int | None = None
        self._committed = 0

    async def run(self, what: Do, number: int) -> None:
        """Do one thing, where it can be done, and compare."""
        process = self._processes.get(number)
        if what is Do.CLOCK:
            await self._sql("update owner_seen set expires_at = expires_at - interval '3 days'")
        elif process is None:
            await (self._start(number) if what is Do.START else self._cut(what))
        elif number in self._paused:
            await self._run_paused(what, number, process)
        else:
            await self._run_going(what, number, process)

    async def _run_paused(self, what: Do, number: int, process: Process) -> None:
        if what is Do.RESUME:
            self._paused.discard(number)
            process.gate.open.set()
        elif what is Do.KILL:
            await process.kill()
            self._forget(number)
        await self._cut(what)

    async def _run_going(self, what: Do, number: int, process: Process) -> None:
        if what in {Do.STOP, Do.KILL}:
            await (process.stop() if what is Do.STOP else process.kill())
            self._forget(number)
        elif what is Do.PAUSE:
            process.gate.open.clear()
            self._paused.add(number)
        elif process.connection is not None:
            await (self._commit(number, process) if what is Do.COMMIT else self._cut(what))
        elif what in {Do.OPEN, Do.WRITE} and await self._open(number, process) and what is Do.WRITE:
            await self._commit(number, process)
        await self._cut(what)

    async def _start(self, number: int) -> None:
        """Whoever wants the database has it, unless its owner runs."""
        process = Process(f"process {number}", self._url)
        lives = self._owner is not None and self._owner not in self._paused
        assert await process.take() is not lives
        if not lives:
            self._owner, self._processes[number] = number, process

    async def _open(self, number: int, process: Process) -> bool:
        try:
            await process.begin()
        except (OwnershipLostError, NotOwnerError):
            assert number != self._owner
            await process.kill()
            self._forget(number)
            return False
        assert number == self._owner
        return True

    async def _commit(self, number: int, process: Process) -> None:
        """What a former owner had open never commits; what the owner commits carries the greatest token."""
        if await process.commit():
            assert number == self._owner
            self._committed += 1

    async def _cut(self, what: Do) -> None:
        if what is not Do.CUT:
            return
        await self._sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    def _forget(self, number: int) -> None:
        del self._processes[number]
        self._paused.discard(number)
        if self._owner == number:
            self._owner = None

    async def end(self) -> None:
        """Stop everything; all that was committed stands there, in the order of the tokens."""
        for process in list(self._processes.values()):
            await process.stop()
        async with self._engine.connect() as connection:
            tokens = [row[0] for row in await connection.execute(text("select token from course order by place"))]
        assert tokens == sorted(tokens)
        assert len(tokens) == self._committed

    async def _sql(self, statement: str) -> None:
        async with driver_connection(self._engine) as connection:
            await connection.execute(statement)


@given(course=COURSE)
@example(course=LATE_WRITE)
@example(course=LATE_COMMIT)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_never_two_owners_whose_rows_both_count(engine: AsyncEngine, course: list[tuple[Do, int]]) -> None:
    """Whatever happens, only the last owner commits, and rows stand in the order of the owners' tokens."""
    await engine.dispose()
    async with engine.begin() as connection:
        for statement in (
            "drop table if exists course",
            "create table course (place bigint generated always as identity, token bigint not null)",
            "delete from owner_seen",
        ):
            await connection.execute(text(statement))
    running = Course(engine)
    for what, number in course:
        await running.run(what, number)
    await running.end()
