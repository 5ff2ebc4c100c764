"""The demo as a user starts it: a process of its own with simulator, database, service and page."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from overround.db.embedded import DATABASE, USER
from overround.db.server_home import home_of

SLUGS = ("BETPAWA", "SPORTYBET", "BET9JA")
PATIENCE = 90.0  # seconds; a machine may be busy
_POLL = 0.05
_SQL = """
import asyncio, sys, asyncpg
async def main(host, user, database, statement):
    connection = await asyncpg.connect(host=host, user=user, database=database)
    await connection.execute(statement)
asyncio.run(main(*sys.argv[1:]))
"""


class Demo:
    """A demo on a fixed port and data directory, which can be killed and started anew."""

    def __init__(self, directory: Path, events: int, key: str = "", **settings: str) -> None:
        self.directory = directory
        self.events = events
        self.key = key
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, cycles: int = 1) -> None:
        """Start it, wait for so many cycles, and let it rest: what moves then is what a test moves."""
        command = [sys.executable, "-c", "from overround.cli.main import app; app()", *self._arguments()]
        with (self.directory / "demo.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(self._settings)
            )
        self.wait_for(lambda: self.get("/api/scheduler")["running"])
        self.post("/api/scheduler/pause")
        self.ask("PUT", "/api/settings", {"schedule": {"short_interval_seconds": 1, "long_interval_seconds": 1}})
        self.wait_for(lambda: len(self._finished()) >= cycles)

    @property
    def total(self) -> int:
        """Return how many events it has."""
        return int(self.get("/api/events?limit=1")["total"])

    @property
    def reference(self) -> str:
        """Return the reference's slug."""
        return next(str(one["slug"]) for one in self.get("/api/bookmakers")["bookmakers"] if one["reference"])

    def cycle(self) -> None:
        """Let the market move by a tick, and scrape it; a demo's market moves with the schedule alone."""
        before = self._newest_finished()
        self.post("/api/scheduler/resume")
        self.wait_for(lambda: self._newest_finished() > before)
        self.post("/api/scheduler/pause")
        self.wait_for(lambda: all(run["finished_at"] for run in self._runs()))

    def get(self, path: str) -> Any:
        """Return an answer's JSON."""
        return self.ask("GET", path)

    def post(self, path: str) -> Any:
        """Send a request without a body, and return the answer's JSON."""
        return self.ask("POST", path)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request, and return the answer's JSON."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310 - on loopback
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - on loopback
            return json.load(answer)

    def sql(self, statement: str) -> None:
        """Execute a statement in its database; in a process of its own, since Playwright has this one's event loop."""
        command = [sys.executable, "-c", _SQL, str(home_of(self.directory / "data").sockets), USER, DATABASE, statement]
        subprocess.run(command, check=True, timeout=PATIENCE)  # noqa: S603 - the script above

    def wait_for(self, condition: Any) -> None:
        """Wait until it holds; while the service does not answer, it does not."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if _holds(condition):
                return
            self._alive_for(_POLL)
        raise AssertionError(f"waited for {PATIENCE} s; the log ends with {self.log()}")

    def _arguments(self) -> list[str]:
        return ["demo", f"--events={self.events}", f"--port={self.port}", f"--data-dir={self.directory / 'data'}"]

    def _alive_for(self, seconds: float) -> None:
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            raise AssertionError(f"the demo has ended: {self.log()}")

    def log(self) -> str:
        """Return the end of its log."""
        return (self.directory / "demo.log").read_text(encoding="utf-8")[-2000:]

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it, and remove what a service run as root keeps outside its directory."""
        self._end(signal.SIGINT)
        home_of(self.directory / "data").remove()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(number)
            process.wait(PATIENCE)

    def _runs(self) -> list[dict[str, Any]]:
        return list(self.get("/api/scrape/runs")["runs"])

    def _newest_finished(self) -> int:
        """Return a run's id: runs are listed up to a number, so how many there are says nothing in the long run."""
        return max((int(run["run_id"]) for run in self._finished()), default=0)

    def _finished(self) -> list[dict[str, Any]]:
        return [run for run in self._runs() if run["kind"] != "event" and run["finished_at"]]


class LargeService(Demo):
    """The service on 2,000 events at three bookmakers that cost next to nothing: what takes time is the page's own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory,
            events=2000,
            PYTHONPATH=str(Path(__file__).parent / "crowd"),
            OVERROUND_DATA_DIR=str(directory / "data"),
            OVERROUND_REFERENCE="north",
            OVERROUND_SCRAPING__HORIZON="P30D",
            **{f"OVERROUND_BOOKMAKERS__{slug}__ENABLED": "false" for slug in SLUGS},
        )

    def _arguments(self) -> list[str]:
        return ["serve", f"--port={self.port}"]


class LonelyService(Demo):
    """The service, with bookmakers of whom none answers."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory,
            events=0,
            OVERROUND_DATA_DIR=str(directory / "data"),
            **{f"OVERROUND_BOOKMAKERS__{slug}__BASE_URL": f"http://127.0.0.1:{_free_port()}" for slug in SLUGS},
        )

    def _arguments(self) -> list[str]:
        return ["serve", f"--port={self.port}"]


@contextmanager
def running(demo: Demo) -> Iterator[Demo]:
    """Run what has been made, until it has scraped and rests."""
    try:
        demo.start()
        yield demo
    finally:
        demo.stop()


@contextmanager
def running_large_service(directory: Path) -> Iterator[Demo]:
    """Run the service on 2,000 events that have been scraped."""
    with running(LargeService(directory)) as service:
        yield service


@contextmanager
def running_demo(directory: Path, events: int, *, cycles: int = 1, key: str = "", **settings: str) -> Iterator[Demo]:
    """Run a demo that has scraped and rests."""
    demo = Demo(directory, events, key, **settings)
    try:
        demo.start(cycles=cycles)
        yield demo
    finally:
        demo.stop()


def _holds(condition: Any) -> bool:
    try:
        return bool(condition())
    except (OSError, urllib.error.URLError):
        return False


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Return this process's environment without settings of its user, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERROUND_")}
    return {**kept, **settings}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
