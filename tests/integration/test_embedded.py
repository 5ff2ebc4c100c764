import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest

from overround.db import server_home
from overround.db.embedded import running_postgres, shared_postgres
from overround.db.engine import create_engine
from overround.db.server_home import ServerHome, ServerUser, home_of
from overround.errors import DatabaseUnavailableError
from tests.integration.write_data import rows

# Runs a server until it is killed; says first which process watches over it.
_OWNER = """
import asyncio, pathlib, sys
from overround.db.embedded import running_postgres

async def main():
    async with running_postgres(pathlib.Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
_LIMIT = 60  # seconds that a process may take to end


@pytest.fixture
def place(data_dir: Path) -> Iterator[Path]:
    """Yield a data directory, whose server's files are deleted at the end wherever they lie."""
    yield data_dir
    home_of(data_dir).remove()


def processes(data_dir: Path) -> list[psutil.Process]:
    """Return the processes of this directory's server: the server itself and programs that set it up."""
    directory = str(home_of(data_dir).directory)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(directory in argument for argument in process.info["cmdline"] or ())
    ]


def wait_for_end(running: list[psutil.Process]) -> None:
    """Wait until these processes have ended."""
    _, alive = psutil.wait_procs(running, timeout=_LIMIT)
    assert alive == []


@contextmanager
def owner_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that owns a server; it is killed at the latest at the end."""
    command = [sys.executable, "-c", _OWNER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:  # noqa: S603 - our own interpreter
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline() == "ready\n"
            yield owner
        finally:
            owner.kill()


def kill_with_guardian(owner: subprocess.Popen[str]) -> None:
    """Kill an owner in such a way that its server is left behind."""
    guardians = [child for child in psutil.Process(owner.pid).children() if "guardian" in " ".join(child.cmdline())]
    for process in (*guardians, psutil.Process(owner.pid)):
        process.kill()
    owner.wait(_LIMIT)


@asynccontextmanager
async def asked(url: str) -> AsyncIterator[str]:
    """Yield what a new engine on the server answers to `select current_user`."""
    engine = create_engine(url, "overround tests")
    try:
        yield str((await rows(engine, "select current_user"))[0][0])
    finally:
        await engine.dispose()


async def test_it_starts_serves_and_stops(place: Path) -> None:
    """A new server answers at the address given, and no process of it is left when the block ends."""
    async with running_postgres(place) as url, asked(url) as user:
        assert user == "overround"
        assert processes(place)
    assert processes(place) == []


async def test_it_is_durable_private_and_not_root(place: Path) -> None:
    """It syncs what it commits, listens on no port, closes its files to others, and does not run as root."""
    query = "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'listen_addresses')"
    async with running_postgres(place) as url:
        engine = create_engine(url, "overround tests")
        settings = {str(name): value for name, value in await rows(engine, query)}
        await engine.dispose()
        assert {process.uids().effective for process in processes(place)}.isdisjoint({0})
        home = home_of(place)
        assert [path.stat().st_mode & 0o077 for path in (home.directory, home.sockets, home.cluster)] == [0, 0, 0]
    assert settings == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}


async def test_data_outlive_a_restart(place: Path) -> None:
    """What was committed is there when the server is started again."""
    for statement in ("create table kept as select 1 as one", "insert into kept values (2)"):
        async with running_postgres(place) as url:
            engine = create_engine(url, "overround tests")
            async with engine.begin() as connection:
                await connection.exec_driver_sql(statement)
            counted = await rows(engine, "select count(*) from kept")
            await engine.dispose()
    assert counted == [(2,)]


async def test_an_ephemeral_server_leaves_no_file(place: Path) -> None:
    """At the end of an ephemeral server its files are gone, wherever they lay."""
    async with running_postgres(place, ephemeral=True):
        assert home_of(place).cluster.exists()
    assert not home_of(place).directory.exists()
    assert not home_of(place).sockets.exists()


async def test_a_second_owner_is_refused(place: Path) -> None:
    """While one owner is alive another is refused by the first one's pid, and the server is not disturbed."""
    with owner_process(place) as owner:
        with pytest.raises(DatabaseUnavailableError, match=str(owner.pid)):
            async with running_postgres(place):
                pass
        assert processes(place)


async def test_another_process_may_share_the_server(place: Path) -> None:
    """While its owner is alive, others reach the server and leave it running; without an owner they run it."""
    with owner_process(place):
        async with shared_postgres(place) as url, asked(url) as user:
            assert user == "overround"
        assert processes(place)
    async with shared_postgres(place) as url, asked(url) as user:
        assert user == "overround"
    assert processes(place) == []


async def test_the_server_of_a_killed_owner_stops_by_itself(place: Path) -> None:
    """When the owner is killed, its server does not outlive it."""
    with owner_process(place) as owner:
        running = processes(place)
        owner.kill()
        await asyncio.to_thread(wait_for_end, running)


async def test_a_server_left_behind_is_replaced(place: Path) -> None:
    """A server that outlived its owner does not hinder the next owner, who starts a new one on the same data."""
    with owner_process(place) as owner:
        kill_with_guardian(owner)
        left = processes(place)
        assert left
        async with running_postgres(place) as url, asked(url) as user:
            assert user == "overround"
            assert not {process.pid for process in left} & {process.pid for process in processes(place)}
    assert processes(place) == []


async def test_a_pid_that_is_another_program_now_is_left_alone(place: Path) -> None:
    """A stale pid file that names a living process, here this one, does not get it stopped by the next start."""
    async with running_postgres(place):
        pass
    pid_file = home_of(place).cluster / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n" + "\n".join(["x"] * 6) + "\nready\n", "ascii")
    async with running_postgres(place) as url, asked(url) as user:
        assert user == "overround"


@pytest.mark.parametrize("after", [0, 0.03, 0.2, 0.4, 0.6, 0.8, 1.0])
async def test_a_cancelled_start_leaves_nothing_running(place: Path, after: float) -> None:
    """Wherever a start is cancelled, no process stays behind, and the next start succeeds."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after), running_postgres(place):
            await asyncio.Event().wait()
    await asyncio.to_thread(wait_for_end, processes(place))
    async with running_postgres(place) as url, asked(url) as user:
        assert user == "overround"


async def test_a_server_that_cannot_start_says_why(place: Path) -> None:
    """Where the server refuses to start, the error carries its own words, and nothing is left running."""
    with pytest.raises(DatabaseUnavailableError, match="shared_buffers"):
        async with running_postgres(place, options={"shared_buffers": "much"}):
            pass
    assert processes(place) == []


async def test_a_server_that_died_meanwhile_does_not_hinder_the_end(place: Path) -> None:
    """Where the server has been killed, leaving the block neither fails nor waits."""
    async with running_postgres(place):
        for process in processes(place):
            process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(wait_for_end, processes(place))


async def test_a_long_data_directory_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    """A path too long for a socket's address does not keep the server from starting."""
    long = tmp_path / ("d" * 60) / ("e" * 60)
    async with running_postgres(long, ephemeral=True) as url, asked(url) as user:
        assert user == "overround"
        assert len(str(home_of(long).sockets)) < 100


def test_a_socket_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A directory that others may enter is not used for the socket."""
    home = ServerHome(tmp_path / "home", None)
    home.prepare()
    home.sockets.chmod(0o777)
    with pytest.raises(DatabaseUnavailableError, match="closed to all others"):
        home.prepare()


def test_programs_out_of_reach_of_the_server_user_name_the_remedy(tmp_path: Path) -> None:
    """Where the unprivileged user cannot run the wheel's programs, the message says what to do about it."""
    programs = tmp_path / "closed" / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch(mode=0o700)
    programs.parent.chmod(0o700)
    home = ServerHome(tmp_path, ServerUser("nobody", 65534, 65534))
    with pytest.raises(DatabaseUnavailableError, match="OVERROUND_DATABASE_URL"):
        server_home._version(programs, home)
