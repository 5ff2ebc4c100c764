"""One owner of a database: a lease that its owner renews, and a token that every writing transaction checks.

The lease only decides when another process may take over. The token keeps the rows right: a take-over changes it,
and a transaction that reads another token than its own ends. A stopped or cut-off former owner can do no harm,
however late it goes on.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import psutil
import structlog
from sqlalchemy.exc import SQLAlchemyError

from overround.db.engine import create_engine, driver_connection
from overround.errors import DatabaseUnavailableError, NotOwnerError, OwnedElsewhereError, OwnershipLostError
from overround.ports import Clock

TTL = 4.0  # seconds without a renewal after which another process may take over
_LEASE = timedelta(seconds=TTL)
_RENEWED_EVERY = 1.0
_LOOKED_EVERY = 0.2
_PATIENCE = 1.0  # for a former owner's open transaction, before its backend is ended
_TAKE_LIMIT = 30.0  # for the take-over itself, which may have to end several of them
_LIMIT = 2.0  # for connecting, and for an answer: a cut network sends no reset

_EXISTS = "select to_regclass('owner') is not null and to_regclass('owner_seen') is not null"
_STANDING = """
select owner.token, owner.holder, owner.machine, owner.pid, owner_seen.expires_at
from owner left join owner_seen using (token)
"""
_TAKE = """
update owner set token = nextval('owner_tokens'), holder = $2, machine = $3, pid = $4, taken_at = clock_timestamp()
where token = $1 returning token
"""
_FORGET_ALL = "delete from owner_seen"
_APPEAR = "insert into owner_seen (token, expires_at) values ($1, clock_timestamp() + $2)"
_RENEW = "update owner_seen set expires_at = clock_timestamp() + $2 where token = $1 returning clock_timestamp()"
_RELEASE = "delete from owner_seen where token = $1"
_DRAINED = "delete from drained_states returning event_id, bookmaker_id"
_HOLD = "select token, holder from owner for share"
_END_BLOCKERS = "select pg_terminate_backend(pid) from unnest(pg_blocking_pids($1)) as pid"

_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)
Seen = Callable[[datetime], None]
Drained = Callable[[int, int], None]
Fence = Callable[[asyncpg.Connection], Awaitable[None]]
"""The first thing in a writing transaction: raises where this process may not write."""

_log = structlog.get_logger(__name__)


async def unfenced(_: asyncpg.Connection) -> None:
    """Let everybody write: for tools and tests that are alone with their database."""


async def beside_owner(connection: asyncpg.Connection) -> None:
    """Hold whatever ownership there is: the fence of a command that writes while a service may own the database."""
    await connection.fetchrow(_HOLD)


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that owns or wants to: `name` for people; `machine` and `pid` tell whether it is still alive.

    The name begins with `place`: processes of one place have one journal.
    """

    name: str
    machine: str
    pid: int

    @property
    def place(self) -> str:
        """Return the machine and the data directory."""
        return place_of(self.name)

    @classmethod
    def here(cls, data_dir: Path) -> "Holder":
        """Return this process, named after its machine and its data directory."""
        pid = os.getpid()
        return cls(name=f"{socket.gethostname()}:{data_dir} (process {pid})", machine=_machine(), pid=pid)


def place_of(name: str) -> str:
    """Return the machine and the data directory of a holder, by its name."""
    return name.partition(" (")[0]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns the database; without `expires_at` the owner has released it, or there was none yet."""

    token: int
    holder: str
    machine: str
    pid: int
    expires_at: datetime | None


class Ownership:
    """This process's claim on one database.

    `token` is None until it owns. `elsewhere` names the owner that was found instead. `lost` is set for good when
    another process has taken over.
    """

    def __init__(self, url: str, holder: Holder, clock: Clock) -> None:
        # Connections of its own: a renewal must not wait for one that the writer or a long query uses.
        self._engine = create_engine(
            url, "overround owner", pool_size=2, command_timeout=_LIMIT, connect_timeout=_LIMIT
        )
        self._holder = holder
        self._clock = clock
        self._listeners: list[Seen] = []
        self._on_drained: list[Drained] = []
        self.token: int | None = None
        self.elsewhere = ""
        self.left_behind = False
        """Set by whoever leaves something in the journal: the lease is not given back then, and the heir knows."""
        self.inherits = False
        """Whether the former owner's journal may hold what the database lacks, and is not this process's own."""
        self.lost = asyncio.Event()
        self.lost_to = ""

    def on_renewed(self, listener: Seen) -> None:
        """Let a listener hear the database's time at every renewal."""
        self._listeners.append(listener)

    def on_drained(self, listener: Drained) -> None:
        """Let a listener hear of states, by event and bookmaker's number, that were written beside this process."""
        self._on_drained.append(listener)

    async def exists(self) -> bool:
        """Return whether the database has the tables of owners; one of an earlier release has not.

        Raises:
            DatabaseUnavailableError: it does not answer.
        """
        async with self._connected() as connection:
            return bool(await connection.fetchval(_EXISTS))

    async def take(self) -> None:
        """Own the database, at once where nobody does, else after `TTL` seconds without a sign of its owner.

        Only renewals that are seen count, and this process's monotonic time between them: a step of the
        database's clock takes nothing from a living owner.

        Raises:
            OwnedElsewhereError: its owner lives.
            DatabaseUnavailableError: it does not answer.
        """
        async with self._connected() as connection:
            standing = await self._until_free(connection)
            self.token = await self._take_over(connection, standing.token)
            if self.token is None:
                raise OwnedElsewhereError((await _standing(connection)).holder)
        self.elsewhere = ""
        self.inherits = standing.expires_at is not None and place_of(standing.holder) != self._holder.place
        _log.info("database_owned", token=self.token, former=standing.holder)

    async def wait_and_take(self) -> None:
        """Own the database as soon as its owner is gone, however long that takes; it may be away meanwhile.

        Return at once where the database has no tables of owners yet.
        """
        while self.token is None:
            try:
                if not await self.exists():
                    return
                await self.take()
            except OwnedElsewhereError as error:
                self.elsewhere = error.holder
            except DatabaseUnavailableError as error:
                _log.warning("standby_without_database", error=str(error))
                await self._clock.sleep(_LOOKED_EVERY)

    async def hold(self, connection: asyncpg.Connection) -> None:
        """Keep the ownership for as long as the connection's open transaction lasts: the fence.

        Raises:
            OwnershipLostError: another process has taken over.
            NotOwnerError: this process does not own the database, or not yet again.
        """
        if self.token is None:
            raise NotOwnerError
        found, holder = await connection.fetchrow(_HOLD)
        if found > self.token:
            self._lose(holder)
            raise OwnershipLostError(holder)
        if found < self.token:  # the database has gone back in time; the next renewal takes it again
            raise NotOwnerError

    def raise_if_elsewhere(self) -> None:
        """Raise an OwnedElsewhereError where another process is known to own the database."""
        if self.elsewhere or self.lost.is_set():
            raise OwnedElsewhereError(self.elsewhere or self.lost_to)

    def raise_if_lost(self) -> None:
        """Raise an OwnershipLostError where another process has taken over."""
        if self.lost.is_set():
            raise OwnershipLostError(self.lost_to)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the lease during a block, as soon as there is one, and give it back at the end."""
        renewing = asyncio.create_task(self._keep_renewing(), name="ownership")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._release()
            await self._engine.dispose()

    async def _keep_renewing(self) -> None:
        while not self.lost.is_set():
            try:
                await self._renew()
            except DatabaseUnavailableError as error:
                # This process goes on journalling. When the database answers, its token tells how it stands.
                _log.warning("ownership_not_renewed", error=str(error))
            await self._clock.sleep(_RENEWED_EVERY)

    async def _renew(self) -> None:
        if self.token is None:
            return
        async with self._connected() as connection:
            now = await connection.fetchval(_RENEW, self.token, _LEASE)
            if now is None:
                await self._recover(connection, self.token)
                return
            drained = await connection.fetch(_DRAINED) if self._on_drained else ()
        for listener in self._listeners:
            listener(now)
        for told in self._on_drained:
            for event_id, number in drained:
                told(event_id, number)

    async def _recover(self, connection: asyncpg.Connection, token: int) -> None:
        """Find out why there was nothing to renew: another owner, or a database that has gone back in time."""
        standing = await _standing(connection)
        if standing.token == token:
            await connection.execute(_APPEAR, token, _LEASE)
        elif standing.token > token:
            self._lose(standing.holder)
        else:
            await self._take_again()

    async def _take_again(self) -> None:
        try:
            await self.take()
        except OwnedElsewhereError as error:
            self._lose(error.holder)

    def _lose(self, holder: str) -> None:
        if not self.lost.is_set():
            self.lost_to = holder
            self.lost.set()
            _log.error("ownership_lost", to=holder)

    async def _release(self) -> None:
        """Let the next owner begin at once; where that cannot be, it waits for the lease to run out."""
        token, self.token = self.token, None
        if token is None or self.left_behind or self.lost.is_set():
            return
        try:
            async with self._connected() as connection:
                await connection.execute(_RELEASE, token)
        except DatabaseUnavailableError as error:
            _log.warning("ownership_not_released", error=str(error))

    async def _until_free(self, connection: asyncpg.Connection) -> Standing:
        """Return how the ownership stands once its owner has been silent for `TTL` seconds, or is known to be gone."""
        seen = await _standing(connection)
        began = self._clock.monotonic()
        while not _is_gone(seen) and self._clock.monotonic() - began < TTL:
            await self._clock.sleep(_LOOKED_EVERY)
            before, seen = seen, await _standing(connection)
            if seen.expires_at is not None and (seen.token, seen.expires_at) != (before.token, before.expires_at):
                raise OwnedElsewhereError(seen.holder)
        return seen

    async def _take_over(self, connection: asyncpg.Connection, former: int) -> int | None:
        """Change the token; open transactions of the former owner are waited for, then ended.

        None: another process was quicker.
        """
        holder, blocked = self._holder, self._end_blockers(connection.get_server_pid())
        ending = asyncio.create_task(blocked, name="ownership-blockers")
        try:
            async with connection.transaction():
                token: int | None = await connection.fetchval(
                    _TAKE, former, holder.name, holder.machine, holder.pid, timeout=_TAKE_LIMIT
                )
                if token is not None:
                    await connection.execute(_FORGET_ALL)
                    await connection.execute(_APPEAR, token, _LEASE)
            return token
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _end_blockers(self, waiting_pid: int) -> None:
        """End the backends that a backend waits for, after they have had their time."""
        await self._clock.sleep(_PATIENCE)
        async with self._connected() as connection:
            while True:
                if await connection.fetch(_END_BLOCKERS, waiting_pid):
                    _log.warning("former_owner_ended")
                await self._clock.sleep(_LOOKED_EVERY)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            async with driver_connection(self._engine) as connection:
                yield connection
        except _AWAY as error:
            raise DatabaseUnavailableError(f"the database does not answer: {error!r}") from error


async def _standing(connection: asyncpg.Connection) -> Standing:
    return Standing(**await connection.fetchrow(_STANDING))


def _is_gone(standing: Standing) -> bool:
    """Tell whether an owner is gone for certain: it has said so, or was a process of this machine and has ended."""
    if standing.expires_at is None:
        return True
    return bool(standing.machine) and standing.machine == _machine() and not _is_alive(standing.pid)


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _machine() -> str:
    """Return a text that only processes share whose numbers mean the same; empty where there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
