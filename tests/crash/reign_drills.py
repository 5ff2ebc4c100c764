"""The drills of order and reign: a database that forgets, a journal from a copy, two journals in turns."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec

from overround.db.embedded import running_postgres
from overround.db.server_home import home_of
from tests.crash.account import account
from tests.crash.bookie import Bookie, Tariff
from tests.crash.journal_drills import NOBODY, at_rest, delivered, ledger_row, settled
from tests.crash.service import ServiceProcess, Site, ledger_site
from tests.crash.table import Row

_ANSWERS = 240  # of the bookmaker: some cycles of all its events


class Server:
    """A PostgreSQL server of its own, which can be put back to a copy of itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = home_of(folder)
        self._copy = self._home.cluster.with_name(f"{self._home.cluster.name}.older")

    @property
    def sockets(self) -> str:
        """Return where it listens."""
        return str(self._home.sockets)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Run it, and yield its address, which stays the same."""
        async with running_postgres(self._folder) as url:
            yield url

    async def copy(self) -> None:
        """Copy its files, which nobody may be using."""
        await _run("cp", "-a", str(self._home.cluster), str(self._copy))

    async def put_back(self) -> None:
        """Put the copy in the place of its files."""
        await asyncio.to_thread(shutil.rmtree, self._home.cluster)
        self._copy.rename(self._home.cluster)

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._copy, ignore_errors=True)
        self._home.remove()


async def database_put_back(*, frozen: bool) -> Row:
    """Put the database back to an older copy of itself, under load, or while prices stand still."""
    bookie = Bookie()
    async with ledger_site(bookie) as place, _server(place) as server:
        async with server.running() as url:
            pass
        async with place.service(database_url=url) as service:
            async with server.running():
                await service.ready()
                await bookie.more(_ANSWERS)
            await server.copy()
            async with server.running():
                await bookie.more(_ANSWERS)
                bookie.tariff = Tariff.FROZEN if frozen else bookie.tariff
                await bookie.more(_ANSWERS)
                await _written(service)
            await server.put_back()
            async with server.running():
                await bookie.more(_ANSWERS)
                await at_rest(service)
                await _noticed(service)
                found = await settled(service, bookie, server.sockets)
                await service.end(signal.SIGTERM)
    state = "prices stand still" if frozen else "under load"
    return ledger_row(found, "P25", f"database put back, {state}", {"older copy of the server": 1})


async def journal_put_back() -> Row:
    """Put the journal back to an older copy of itself, and start without the database."""
    bookie = Bookie()
    async with ledger_site(bookie) as place, _server(place) as server:
        journal, older = place.data_dir / "journal", place.directory / "older"
        async with server.running() as url:
            await _scrape(place, bookie, url)
            await _run("cp", "-a", str(journal), str(older))
            await _scrape(place, bookie, url)
        await asyncio.to_thread(shutil.rmtree, journal)
        older.rename(journal)
        async with place.service(database_url=NOBODY) as service:
            await service.until("/health/live", lambda status, _: status == HTTPStatus.OK)
            await bookie.more(_ANSWERS)
            await at_rest(service)
            await service.end(signal.SIGKILL)
        async with server.running() as url:
            found = await delivered(place, bookie, url, server.sockets)
    return ledger_row(found, "P1 P29", "journal from an older copy", {"older copy of the journal": 1})


async def journals_in_turns() -> Row:
    """Run services on the data directories one, two, one with a single database."""
    bookie = Bookie()
    async with ledger_site(bookie) as one, _server(one) as server, _directory() as directory:
        two = msgspec.structs.replace(one, directory=directory)
        async with server.running() as url:
            for place in (one, two, one):
                await _scrape(place, bookie, url)
            found = await account(server.sockets, bookie)
    return ledger_row(found, "P28", "two data directories in turns", {"changes of the data directory": 2})


async def _scrape(place: Site, bookie: Bookie, url: str) -> None:
    async with place.service(database_url=url) as service:
        await service.ready()
        await bookie.more(_ANSWERS)
        await at_rest(service)
        await service.drained()
        await service.end(signal.SIGTERM)


async def _written(service: ServiceProcess) -> None:
    """Wait until the database has all that the journal had."""
    await service.until("/api/queue", lambda status, answer: status == HTTPStatus.OK and answer["pending"] == 0)


async def _noticed(service: ServiceProcess) -> None:
    """Wait until the service has found that the database forgot."""
    await service.until("/api/queue", lambda status, answer: status == HTTPStatus.OK and answer["went_back_at"])


@asynccontextmanager
async def _server(place: Site) -> AsyncIterator[Server]:
    server = Server(place.directory / "elsewhere")
    try:
        yield server
    finally:
        server.remove()


@asynccontextmanager
async def _directory() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="overround-crash-") as name:
        yield Path(name)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0
