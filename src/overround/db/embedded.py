"""An own PostgreSQL server, started and stopped with the service, from the programs of a wheel.

It listens on a Unix socket alone, in a directory closed to all but the server's user (and root): no
port to collide with, no password to keep, nothing that another user of the machine can reach.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import asyncpg
import psutil
import structlog

from overround.db.server_home import ServerHome, binaries, home_of, process_options
from overround.errors import DatabaseInUseError, DatabaseUnavailableError

DATABASE = "overround"
USER = "overround"
START_LIMIT = 120.0  # seconds; recovery after a crash included
_FAST_STOP_LIMIT = 60.0
_POLL = 0.02
_WATCH = 0.5
_STATUS_LINE = 7  # of postmaster.pid, counted from 0: "starting", "ready", "stopping"
_LOG_TAIL = 1500  # characters
_Result = TypeVar("_Result")

_log = structlog.get_logger(__name__)

_SERVER_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "shared_buffers": "128MB",
        "max_connections": "50",
        "fsync": "on",
        "synchronous_commit": "on",
        # There is no standby and no archive: the log serves recovery alone.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "wal_compression": "on",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "jit": "off",
        # Parallel workers want /dev/shm, which containers keep small, and cores, which the scraper uses.
        "max_parallel_workers_per_gather": "0",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
    }
)


@asynccontextmanager
async def running_postgres(
    data_dir: Path, *, ephemeral: bool = False, options: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[str]:
    """Run the server that belongs to `data_dir`, and yield the SQLAlchemy address of its database.

    A server that a killed process left behind is stopped first. `ephemeral` deletes the server's files at
    the end; `options` are further server parameters. If this process is killed the server stops by itself.

    Raises:
        DatabaseInUseError: another process runs it.
        DatabaseUnavailableError: it cannot be started within `START_LIMIT`.
    """
    with _owned(data_dir):
        home = home_of(data_dir)
        server = _Server(home, {**_SERVER_OPTIONS, **options})
        try:
            await server.start()
            async with _supervised(server):
                yield server.url
        finally:
            await _finish(server.stop())
            if ephemeral:
                await asyncio.to_thread(home.remove)


@asynccontextmanager
async def shared_postgres(data_dir: Path) -> AsyncIterator[str]:
    """Yield the address of `data_dir`'s database on the server that another process runs; else run one meanwhile.

    Raises:
        DatabaseUnavailableError: it cannot be started, by whomever, within `START_LIMIT`.
    """
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(running_postgres(data_dir))
        except DatabaseInUseError:
            url = await _url_in_use(home_of(data_dir))
        yield url


async def _url_in_use(home: ServerHome) -> str:
    """Return the address of a server that another process has, or is about to have."""
    try:
        async with asyncio.timeout(START_LIMIT):
            await _until_served(home)
    except TimeoutError as error:
        message = f"the PostgreSQL that another process runs was not ready within {START_LIMIT:.0f} s"
        raise DatabaseUnavailableError(message) from error
    return _url(home)


async def _until_served(home: ServerHome) -> None:
    while True:
        found = _postmaster(home)
        if found is not None and found[1] == "ready":
            return
        await asyncio.sleep(_POLL)


@asynccontextmanager
async def _supervised(server: "_Server") -> AsyncIterator[None]:
    """Start the server again, during a block, whenever it ends by itself."""
    watch = asyncio.create_task(server.keep_running(), name="postgres-watch")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


class _Server:
    def __init__(self, home: ServerHome, options: Mapping[str, str]) -> None:
        self._home = home
        self._options = {**options, "unix_socket_directories": str(home.sockets)}
        self._postgres: subprocess.Popen[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return _url(self._home)

    async def start(self) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                await _stop_leftover(self._home)
                await asyncio.to_thread(self._home.prepare)
                programs = await asyncio.to_thread(binaries, self._home)
                await self._create_cluster(programs)
                self._spawn(programs)
                await self._until_ready()
                await self._create_database()
        except TimeoutError as error:
            message = f"PostgreSQL did not start within {START_LIMIT:.0f} s: {self._log_tail()}"
            raise DatabaseUnavailableError(message) from error

    async def _create_cluster(self, programs: Path) -> None:
        if self._home.cluster.exists():
            return
        new = self._home.directory / "cluster.new"  # renamed when whole: a killed initdb leaves no half cluster
        arguments = [f"--pgdata={new}", f"--username={USER}", "--encoding=UTF8", "--no-locale", "--auth-host=reject"]
        if self._options["fsync"] == "off":
            arguments.append("--no-sync")
        await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)
        with self._home.log.open("wb") as log:
            process = _popen(self._home, [programs / "initdb", "--auth-local=trust", *arguments], log=log.fileno())
            try:
                status = await asyncio.to_thread(process.wait)
            finally:
                await _finish(_kill(process))
        if status != 0:
            raise DatabaseUnavailableError(f"initdb failed: {self._log_tail()}")
        new.rename(self._home.cluster)

    def _spawn(self, programs: Path) -> None:
        settings = [f"-c{name}={value}" for name, value in self._options.items()]
        with self._home.log.open("wb") as log:
            command: list[str | Path] = [programs / "postgres", "-D", self._home.cluster, *settings]
            self._postgres = _popen(self._home, command, log=log.fileno())
        # Reads end of file when this process ends, however it ends, and asks for a fast shutdown.
        watch = 'read -r _; kill -INT "$1" 2>/dev/null'
        command = ["/bin/sh", "-c", watch, "overround-postgres-guardian", str(self._postgres.pid)]
        self._guardian = _popen(self._home, command, stdin=subprocess.PIPE)

    async def _until_ready(self) -> None:
        postgres = self._postgres
        while postgres is not None and postgres.poll() is None:
            if _postmaster(self._home) == (postgres.pid, "ready"):
                return
            await asyncio.sleep(_POLL)
        raise DatabaseUnavailableError(f"PostgreSQL ended while it started: {self._log_tail()}")

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(
            host=str(self._home.sockets), user=USER, database="postgres", server_settings={"application_name": USER}
        )
        try:
            if not await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
                await connection.execute(f"create database {DATABASE}")
        finally:
            await connection.close()

    async def keep_running(self) -> None:
        """Start the server again whenever it has ended, for as long as that takes."""
        while True:
            await asyncio.sleep(_WATCH)
            if self._postgres is None or self._postgres.poll() is None:
                continue
            _log.error("embedded_database_ended", status=self._postgres.returncode, message=self._log_tail())
            await self._end_guardian()
            try:
                await self.start()
            except DatabaseUnavailableError as error:
                _log.error("embedded_database_not_restarted", error=str(error))
            else:
                _log.info("embedded_database_restarted")

    async def stop(self) -> None:
        if self._postgres is not None:
            await _stop_process(self._postgres)
        await self._end_guardian()

    async def _end_guardian(self) -> None:
        if self._guardian is not None:
            await _kill(self._guardian)
            if self._guardian.stdin is not None:
                self._guardian.stdin.close()

    def _log_tail(self) -> str:
        try:
            return self._home.log.read_text("utf-8", "replace").strip()[-_LOG_TAIL:] or "it wrote no message"
        except OSError as error:
            return f"its log cannot be read: {error}"


def _url(home: ServerHome) -> str:
    return f"postgresql+asyncpg://{USER}@/{DATABASE}?host={home.sockets}"


@contextmanager
def _owned(data_dir: Path) -> Iterator[None]:
    """Hold the data directory's lock; the system drops it when the holder dies."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "postgres.lock").open("a+")
    except OSError as error:
        raise DatabaseUnavailableError(f"cannot write to {data_dir}: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            message = f"process {lock.read().strip() or '?'} runs the database in {data_dir} already"
            raise DatabaseInUseError(message) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _postmaster(home: ServerHome) -> tuple[int, str] | None:
    """Return the pid and the status that the server's own file states; None without a usable file."""
    try:
        lines = (home.cluster / "postmaster.pid").read_text("ascii", "replace").splitlines()
        return int(lines[0]), lines[_STATUS_LINE].strip()
    except (OSError, ValueError, IndexError):
        return None


async def _stop_leftover(home: ServerHome) -> None:
    found = _postmaster(home)
    await _stop_process(_process_of(found[0], home) if found else None)


def _process_of(pid: int, home: ServerHome) -> psutil.Process | None:
    """Return the running server of this home; None if the pid is by now another program's."""
    try:
        process = psutil.Process(pid)
        return process if str(home.cluster) in process.cmdline() else None
    except psutil.Error:
        return None


async def _stop_process(process: psutil.Process | subprocess.Popen[bytes] | None) -> None:
    """Stop a server: fast, then immediate (it recovers at the next start), then by force."""
    if process is None:
        return
    for stop, limit in ((signal.SIGINT, _FAST_STOP_LIMIT), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        try:
            process.send_signal(stop)
            await asyncio.to_thread(process.wait, limit)
        except psutil.NoSuchProcess:
            return
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            continue
        return


def _popen(
    home: ServerHome, command: Sequence[str | Path], *, stdin: int = subprocess.DEVNULL, log: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - programs of an installed wheel, and /bin/sh with a fixed text
            command,
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            **process_options(home),
        )
    except OSError as error:
        raise DatabaseUnavailableError(f"cannot run {command[0]}: {error}") from error


async def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, which `_popen` has put into a session of their own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)


async def _finish(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run clean-up to its end, also when the caller is cancelled meanwhile; the cancellation is raised after it."""
    task = asyncio.create_task(work, name="postgres-cleanup")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
