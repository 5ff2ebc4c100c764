"""The real service as a process, fed by a simulated market that outlives it."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import asyncpg
import msgspec
import psutil

from overround.db.embedded import DATABASE, USER
from overround.db.server_home import home_of
from tests.crash.arena import until
from tests.crash.bookie import Bookie

_MARKET = ("--events", "20", "--advance-every", "0.5", "--tick-seconds", "30")  # prices move twice a second
_DEMO_EVENTS, _DEMO_BATCH = 60, 10  # a cycle of some seconds in many batches
_JOURNAL_BYTES = 4 << 30
_PATIENCE = 120.0  # seconds
_OVERROUND = "from overround.cli.main import app; app()"
_BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where one drill's services live, one after the other; `settings` are those of their environment that differ."""

    directory: Path
    prices_port: int = 0
    settings: Mapping[str, str] = {}

    @property
    def data_dir(self) -> Path:
        """Return the services' data directory."""
        return self.directory / "data"

    @property
    def ack_log(self) -> Path:
        """Return the log of acknowledged batches."""
        return self.directory / "acks"

    @property
    def embedded(self) -> str:
        """Return where the services' own PostgreSQL listens."""
        return str(home_of(self.data_dir).sockets)

    @asynccontextmanager
    async def service(
        self,
        *,
        cycles: bool = True,
        database_url: str = "",
        under: Sequence[str] = (),
        standby: bool = False,
        code: str = _OVERROUND,
    ) -> AsyncIterator["ServiceProcess"]:
        """Run a service; without a database address it runs its own. It is killed at the end if it still lives.

        `under` is a command that is given the service's to run, `code` the Python that it is.
        """
        environment = self._environment(cycles=cycles, database_url=database_url)
        arguments = ("serve", "--standby") if standby else ("serve",)
        async with self._command(*arguments, environment=environment, under=under, code=code) as process:
            yield process

    def beside(self, name: str, settings: Mapping[str, str] = MappingProxyType({})) -> "Site":
        """Return the place of a service with a data directory of its own, which asks the same bookmakers."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return Site(directory=directory, prices_port=self.prices_port, settings={**self.settings, **settings})

    async def command(self, *arguments: str, database_url: str) -> tuple[int, str]:
        """Run another command with the services' settings; return its exit code and what it wrote on stdout."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _OVERROUND, *arguments),
            stdout=PIPE,
            env=self._environment(cycles=False, database_url=database_url),
            cwd=self.directory,
        )
        out, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        return process.returncode or 0, out.decode()

    @asynccontextmanager
    async def demo(self) -> AsyncIterator["ServiceProcess"]:
        """Run `overround demo`, with a market of its own; it is killed at the end if it still lives."""
        arguments = ("demo", "--data-dir", str(self.data_dir), "--events", str(_DEMO_EVENTS))
        environment = {**_kept_environment(), "OVERROUND_SCRAPING__BATCH_SIZE": str(_DEMO_BATCH)}
        async with self._command(*arguments, environment=environment) as process:
            yield process

    @asynccontextmanager
    async def _command(
        self, *arguments: str, environment: dict[str, str], under: Sequence[str] = (), code: str = _OVERROUND
    ) -> AsyncIterator["ServiceProcess"]:
        with (self.directory / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(*under, sys.executable, "-c", code, *arguments, "--port", "0"),
                *("--ack-log", str(self.ack_log)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=log,
                env=environment,
                cwd=self.directory,
            )
        try:
            # A connection kept over a long look at the database would be one that the service has closed meanwhile.
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                yield ServiceProcess(process, session, self.directory / "log")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def _environment(self, *, cycles: bool, database_url: str) -> dict[str, str]:
        addresses = {
            f"OVERROUND_BOOKMAKERS__{slug.upper()}__BASE_URL": f"http://127.0.0.1:{self.prices_port}/{slug}"
            for slug in _BOOKMAKERS
        }
        database = {"OVERROUND_DATABASE_URL": database_url} if database_url else {}
        return {
            **_kept_environment(),
            **addresses,
            **database,
            "OVERROUND_DATA_DIR": str(self.data_dir),
            "OVERROUND_QUEUE__MAX_BYTES": str(_JOURNAL_BYTES),
            "OVERROUND_SCRAPING__HORIZON": "P36500D",
            "OVERROUND_SCHEDULE__ENABLED": str(cycles).lower(),
            "OVERROUND_SCHEDULE__SHORT_INTERVAL": "PT1S",
            "OVERROUND_SCHEDULE__LONG_INTERVAL": "PT1S",
            "OVERROUND_BOOKMAKERS__BET9JA__MIN_INTERVAL_MS": "0",
            **self.settings,
        }

    def acknowledged(self) -> Sequence[tuple[str, int, int, str]]:
        """Return generation, seq, number of changed snapshots and hash of every acknowledged batch."""
        if not self.ack_log.exists():
            return []
        *lines, _cut_off = self.ack_log.read_text("ascii").split("\n")
        words = (line.split() for line in lines)
        return [(generation, int(seq), int(count), digest) for generation, seq, count, digest in words]


def _kept_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OVERROUND_")}


class ServiceProcess:
    """A running service."""

    def __init__(self, process: Process, session: aiohttp.ClientSession, log: Path) -> None:
        self.process = process
        self._session = session
        self._log = log
        self._address = ""

    async def ask(self, path: str, *, method: str = "GET") -> tuple[int, Any]:
        """Return status and JSON of an answer.

        Raises:
            OSError: nobody answers (any more).
        """
        if not self._address:
            assert self.process.stdout is not None
            line = await asyncio.wait_for(self.process.stdout.readline(), _PATIENCE)
            assert line, self._log.read_text("utf-8")
            self._address = line.decode().split()[-1]
        async with self._session.request(method, self._address + path) as response:
            return response.status, await response.json()

    async def ready(self) -> None:
        """Wait until the service is ready."""
        await self.until("/health/ready", lambda status, _: status == 200)

    async def until(self, path: str, holds: Any, limit: float = _PATIENCE) -> Any:
        """Ask until `holds(status, answer)`, and return that answer.

        Raises:
            TimeoutError: it did not come within the limit, in seconds.
        """
        answer: tuple[int, Any] = (0, None)
        try:
            async with asyncio.timeout(limit):
                while not holds(*answer):
                    assert self.process.returncode is None, self._log.read_text("utf-8")
                    await self.lasts(0.02)
                    answer = await self.ask(path)
        except TimeoutError as error:
            raise TimeoutError(f"{path} did not come to answer as it should: {answer}") from error
        return answer[1]

    async def lasts(self, seconds: float) -> None:
        """Wait so long, or until the process ends."""
        waiting = asyncio.ensure_future(self.process.wait())
        await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()

    async def drained(self) -> None:
        """Wait until the queue holds nothing."""
        await self.until("/api/queue", lambda status, answer: status == 200 and answer["pending"] == 0)

    async def finished_runs(self) -> int:
        """Return the number of the newest run that has ended; 0 for none."""
        _, answer = await self.ask("/api/scrape/runs")
        return max((run["run_id"] for run in answer["runs"] if run["finished_at"]), default=0)

    async def events(self) -> Any:
        """Return what the API answers about all events."""
        _, answer = await self.ask("/api/events?limit=200")
        return answer

    async def prices(self) -> object:
        """Return the prices that the API shows."""
        answer = await self.events()
        return {
            (event["sr_id"], market["market"], json.dumps(market["specifiers"]), slug): [
                (one["outcome"], one["price"], one["state"]) for one in prices["outcomes"]
            ]
            for event in answer["events"]
            for market in event["markets"]
            for slug, prices in market["bookmakers"].items()
            if prices["outcomes"]
        }

    @property
    def port(self) -> int:
        """Return where it listens, once it was asked something."""
        return int(self._address.rpartition(":")[2])

    def log(self) -> str:
        """Return all that it logged."""
        return self._log.read_text("utf-8")

    def memory(self) -> int:
        """Return the resident memory of the process, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def end(self, how: signal.Signals, limit: float = _PATIENCE) -> int:
        """Send a signal, wait for the end, and return the exit code or the negative signal.

        Raises:
            TimeoutError: it did not end within the limit, in seconds.
        """
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), limit)

    def logged(self, event: str) -> dict[str, Any]:
        """Return the newest log event of a name."""
        lines = reversed(self._log.read_text("utf-8").splitlines())
        found: dict[str, Any] = next(
            line for text in lines if text.startswith("{") and (line := json.loads(text))["event"] == event
        )
        return found


@asynccontextmanager
async def ledger_site(bookie: Bookie) -> AsyncIterator[Site]:
    """Set up a place whose services ask one bookmaker, which keeps a ledger; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="overround-crash-") as name:
        async with bookie.serving() as settings:
            place = Site(directory=Path(name), settings=settings)
            try:
                yield place
            finally:
                await _clear(place)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Set up a place and the market; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="overround-crash-") as name:
        directory = Path(name)
        command = (sys.executable, "-m", "overround.simulator.server.loopback", *_MARKET)
        prices = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        place = None
        try:
            assert prices.stdout is not None
            ready = json.loads(await asyncio.wait_for(prices.stdout.readline(), _PATIENCE))
            place = Site(directory=directory, prices_port=ready["port"])
            yield place
        finally:
            prices.kill()
            await prices.wait()
            if place is not None:
                await _clear(place)


async def _clear(place: Site) -> None:
    """Remove the server's files, once the server that lost its owner has ended."""
    home = home_of(place.data_dir)
    await until(lambda: not (home.cluster / "postmaster.pid").exists(), "the end of the embedded server")
    home.remove()


_APPLIED = """
select w.journal, b.seq, b.snapshots + b.dead_snapshots, b.body_hash
from write_batches as b
join journal_watermarks as w using (epoch)
"""


async def write_batches(sockets: str) -> list[tuple[str, int, int, str]]:
    """Return generation, seq, number of changed snapshots and hash of every applied batch."""
    connection = await asyncpg.connect(host=sockets, user=USER, database=DATABASE)
    try:
        rows = await connection.fetch(_APPLIED)
        return [(str(generation), seq, count, digest.hex()) for generation, seq, count, digest in rows]
    finally:
        await connection.close()
