"""The program as a user runs it: real processes, signals, exit codes, nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from overround.db.server_home import home_of

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "src" / "overround" / "simulator" / "recordings"
TOY = ROOT / "tests" / "toy"
FIRST_KICKOFF = date(2026, 10, 3)
PATIENCE = 60.0  # seconds


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without settings of its user, and with changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERROUND_")}
    return {**kept, **changes}


def overround(
    *arguments: str, env: dict[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    command = [sys.executable, "-c", "from overround.cli.main import app; app()", *arguments]
    return subprocess.run(  # noqa: S603 - our own program
        command, input=stdin, capture_output=True, timeout=PATIENCE, env=env or environment(), check=False
    )


@pytest.fixture(autouse=True)
def no_server_files_left(tmp_path: Path) -> Iterator[None]:
    """Remove what a service run as root keeps outside its data directory."""
    yield
    home_of(tmp_path / "data").remove()


@pytest.fixture(scope="module")
def upcoming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the shipped recordings, moved to a kick-off in the days to come."""
    directory = tmp_path_factory.mktemp("upcoming")
    shift = datetime.now(UTC).date() + timedelta(days=2) - FIRST_KICKOFF
    for recording in RECORDINGS.glob("*.json"):
        body = recording.read_text(encoding="utf-8")
        body = re.sub(r"2026-10-\d\d", lambda day: str(date.fromisoformat(day[0]) + shift), body)
        body = re.sub(
            r'("estimateStartTime":)(\d+)', lambda found: found[1] + str(int(found[2]) + shift.days * 86_400_000), body
        )
        (directory / recording.name).write_text(body, encoding="utf-8")
    return directory


@pytest.fixture
def simulator(upcoming: Path) -> Iterator[Callable[[int], int]]:
    """Yield what (re)starts a simulator on a port, 0 for a free one; the one before is killed."""
    running: list[subprocess.Popen[bytes]] = []

    def stop() -> None:
        while running:
            process = running.pop()
            process.kill()
            process.communicate()

    def start(port: int) -> int:
        stop()
        if port < 0:
            return port
        module = "overround.simulator.server.loopback"
        command = [sys.executable, "-m", module, "--captures", str(upcoming), "--port", str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        running.append(process)
        assert process.stdout is not None
        return int(json.loads(process.stdout.readline())["port"])

    yield start
    stop()


class ServiceProcess:
    """A service in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self.log = log

    def ask(self, path: str, *, method: str = "GET") -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        request = urllib.request.Request(self.address + path, method=method)  # noqa: S310 - on loopback
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310 - on loopback
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def finished_run(self, run_id: int) -> dict[str, Any]:
        """Wait for a run to end, and return it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            run = next(run for run in self.ask("/api/scrape/runs")[1]["runs"] if run["run_id"] == run_id)
            if run["finished_at"]:
                return dict(run)
        raise AssertionError(f"run {run_id} did not end")

    def start_run(self) -> int:
        """Start a cycle, and return its run id."""
        status, answer = self.ask("/api/scrape/start", method="POST")
        assert status == 202
        return int(answer["run_id"])

    def end(self, how: signal.Signals) -> list[dict[str, Any]]:
        """Send a signal, wait for the end, and return the log's events."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def service(tmp_path: Path, port: int, **settings: str) -> Iterator[ServiceProcess]:
    """Run `python -m uvicorn overround.api.app:app` on a simulator."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        own_port = probe.getsockname()[1]
    addresses = {
        f"OVERROUND_BOOKMAKERS__{slug.upper()}__BASE_URL": f"http://127.0.0.1:{port}/{slug}"
        for slug in ("betpawa", "sportybet", "bet9ja")
    }
    env = environment(
        OVERROUND_DATA_DIR=str(tmp_path / "data"),
        OVERROUND_SCHEDULE__ENABLED="false",
        OVERROUND_SCRAPING__MAX_ATTEMPTS="1",
        OVERROUND_SCRAPING__HORIZON="P36500D",
        **addresses,
        **settings,
    )
    log = tmp_path / "service.log"
    command = [sys.executable, "-m", "uvicorn", "overround.api.app:app", "--port", str(own_port)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=env, stderr=stream, stdout=stream)  # noqa: S603 - our own
    running = ServiceProcess(process, f"http://127.0.0.1:{own_port}", log)
    try:
        _until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _until_ready(running: ServiceProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text()
        try:
            if running.ask("/health/ready")[0] == 200:
                return
        except OSError:
            continue
    raise AssertionError(running.log.read_text())


def postgres_processes(data_dir: Path) -> list[int]:
    """Return the PostgreSQL servers that belong to a data directory, here or where root keeps them."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and any(str(data_dir) in word for word in words):
            found.append(process.pid)
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_the_service_starts_scrapes_and_stops_clean(
    how: signal.Signals, tmp_path: Path, simulator: Callable[[int], int]
) -> None:
    """Run by uvicorn: one run at a time, every log event of the pipeline, nothing pending, no server left."""
    slow = {"OVERROUND_BOOKMAKERS__BET9JA__MIN_INTERVAL_MS": "200"}
    before = {process.pid for process in psutil.process_iter() if process.name() == "postgres"}
    with service(tmp_path, simulator(0), **slow) as running:
        run_id = running.start_run()
        status, problem = running.ask("/api/scrape/start", method="POST")
        assert (status, problem["run_id"]) == (409, run_id)
        run = running.finished_run(run_id)
        assert run["status"] == "completed"
        children = [child.pid for child in psutil.Process(running.process.pid).children(recursive=True)]
        events = running.end(how)
    names = [event["event"] for event in events]
    for name in ("write_queue_started", "write_batch_enqueued", "write_batch_committed", "run_finished"):
        assert name in names
    stopped = next(event for event in events if event["event"] == "write_queue_stopped")
    assert stopped["pending"] == 0
    assert stopped["accepted_snapshots"] == stopped["applied_snapshots"] > 10
    assert not [pid for pid in children if psutil.pid_exists(pid) and pid not in before]
    assert running.process.returncode in (0, -how)


def test_a_simulator_gone_in_mid_cycle_removes_nothing(tmp_path: Path, simulator: Callable[[int], int]) -> None:
    """With the bookmakers gone the run ends with counts, prices stay, and the next run recovers."""
    port = simulator(0)
    slow = {"OVERROUND_BOOKMAKERS__BET9JA__MIN_INTERVAL_MS": "150"}
    with service(tmp_path, port, **slow) as running:
        running.finished_run(running.start_run())
        prices = running.ask("/api/events?limit=200")[1]["events"]
        run_id = running.start_run()
        simulator(-1)
        run = running.finished_run(run_id)
        assert run["status"] in {"partial", "failed"}
        assert sum(run["errors"].values()) > 0
        after = running.ask("/api/events?limit=200")[1]["events"]
        assert [event["markets"] for event in after][:1] != []
        assert _states(after) == _states(prices)
        simulator(port)
        assert running.finished_run(running.start_run())["status"] == "completed"
        running.end(signal.SIGTERM)


def _states(events: list[dict[str, Any]]) -> list[object]:
    return [
        (event["sr_id"], market["market"], slug, prices["state"], prices["outcomes"])
        for event in events
        for market in event["markets"]
        for slug, prices in market["bookmakers"].items()
    ]


def test_the_demo_reports_its_cycles(tmp_path: Path) -> None:
    """The demo's report, of every recording: all changed, then all unchanged, nothing pending, lost or doubled."""
    data = ("--captures", str(RECORDINGS), "--data-dir", str(tmp_path / "data"))
    result = overround("demo", *data, "--cycles", "2", "--exit", "--json")
    assert result.returncode == 0, result.stderr.decode()
    report = json.loads(result.stdout)
    first, second = report["cycles"]
    recorded = len(list(RECORDINGS.glob("*.json")))
    assert first["changed"] == first["snapshots"] == recorded > 20
    assert (second["changed"], second["unchanged"]) == (0, first["snapshots"])
    assert (first["failed"], second["failed"], second["markets_written"]) == (0, 0, 0)
    assert report["queue"]["pending"] == 0
    assert report["integrity"] == {"lost": 0, "extra": 0, "doubled": 0}
    assert report["database"]["odds_snapshots"] == first["snapshots"]
    assert report["database"]["market_odds"] == first["markets_written"]
    assert not postgres_processes(tmp_path)


def test_the_demo_moves_a_simulated_market(tmp_path: Path) -> None:
    """On 60 simulated events the first cycle finds all new, later ones a part, and cache and database agree.

    The same seed gives the same market; kept data go on from where they were, another seed is refused.
    """
    run = ("demo", "--events", "60", "--seed", "7", "--exit", "--json")
    kept = ("--data-dir", str(tmp_path / "data"))
    result = overround(*run, "--cycles", "3", *kept)
    assert result.returncode == 0, result.stderr.decode()
    report = json.loads(result.stdout)
    first, *later = report["cycles"]
    assert first["events"] == 60
    assert first["changed"] == first["snapshots"] > 150
    for cycle in later:
        assert 0.4 < cycle["unchanged"] / cycle["snapshots"] < 0.9
        assert 0 < cycle["markets_written"] < first["markets_written"] / 5
    assert report["queue"]["pending"] == 0
    assert report["integrity"] == {"lost": 0, "extra": 0, "doubled": 0}
    again = json.loads(overround(*run, "--cycles", "3").stdout)
    figures = ("snapshots", "changed", "unchanged", "markets_written")
    assert [[one[name] for name in figures] for one in again["cycles"]] == [
        [one[name] for name in figures] for one in report["cycles"]
    ]
    onwards = json.loads(overround(*run, "--cycles", "1", *kept).stdout)
    assert 0 < onwards["cycles"][0]["changed"] < onwards["cycles"][0]["snapshots"]
    refused = overround("demo", "--events", "60", "--seed", "8", "--exit", *kept)
    assert (refused.returncode, refused.stderr.decode().count("--seed 7")) == (1, 1)


def test_a_demo_on_kept_data_goes_on_from_it(tmp_path: Path) -> None:
    """A second demo on the same data starts from the stored prices: nothing is written again."""
    data = ("--captures", str(RECORDINGS), "--data-dir", str(tmp_path / "data"))
    arguments = ("demo", *data, "--cycles", "1", "--exit", "--json")
    first, second = (json.loads(overround(*arguments).stdout) for _ in range(2))
    assert second["cycles"][0]["changed"] == 0
    assert second["cycles"][0]["unchanged"] == first["cycles"][0]["snapshots"]
    assert second["cycles"][0]["run_id"] == first["cycles"][0]["run_id"] + 1


def demo_processes(pid: int) -> list[psutil.Process]:
    """Return a demo's own and its children's processes."""
    demo = psutil.Process(pid)
    return [demo, *demo.children(recursive=True)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_demo_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    """However the demo ends, its simulator, its database and its temporary files are gone within seconds."""
    command = [sys.executable, "-c", "from overround.cli.main import app; app()", "demo", "--port", "0"]
    env = environment(TMPDIR=str(tmp_path))
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log)  # noqa: S603 - our own
    assert demo.stdout is not None
    assert b"http://127.0.0.1:" in demo.stdout.readline()
    (data_dir,) = tmp_path.glob("overround-demo-*")
    home = home_of(data_dir)
    processes = demo_processes(demo.pid)
    assert len(processes) > 3
    demo.send_signal(how)
    demo.communicate(timeout=PATIENCE)
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []
    deadline = time.monotonic() + PATIENCE
    while (data_dir.exists() or home.directory.exists()) and time.monotonic() < deadline:
        os.sched_yield()
    assert not data_dir.exists()
    assert not home.directory.exists()


def test_a_plug_in_is_scraped_without_touching_the_product() -> None:
    """A bookmaker of another distribution is found by its entry point and scraped end to end."""
    env = environment(PYTHONPATH=str(TOY))
    result = overround(
        "demo", "--captures", str(TOY / "recordings"), "--cycles", "2", "--exit", "--json", env=env
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    report = json.loads(result.stdout)
    assert [(cycle["changed"], cycle["unchanged"]) for cycle in report["cycles"]] == [(2, 0), (0, 2)]
    assert report["database"]["market_odds"] > 0


def test_one_data_directory_has_one_owner(tmp_path: Path, simulator: Callable[[int], int]) -> None:
    """A second service on the same data directory refuses to start, and the first does not notice."""
    port = simulator(0)
    with service(tmp_path, port) as running:
        env = environment(OVERROUND_DATA_DIR=str(tmp_path / "data"))
        second = overround("serve", "--port", "0", env=env)
        assert second.returncode == 1
        assert second.stderr.decode().splitlines()[-1].startswith("overround: ")
        assert running.ask("/health/ready")[0] == 200
        running.end(signal.SIGTERM)


def test_other_commands_ask_the_running_service(tmp_path: Path) -> None:
    """Queue and integrity are reported by the service that owns the data directory; without one, exit code 4."""
    data_dir = tmp_path / "data"
    env = environment(OVERROUND_DATA_DIR=str(data_dir))
    assert overround("doctor", "--integrity", env=env).returncode == 4
    command = [sys.executable, "-c", "from overround.cli.main import app; app()", "demo", "--port", "0"]
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(  # noqa: S603 - our own
            [*command, "--data-dir", str(data_dir)], env=env, stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert demo.stdout is not None
        assert demo.stdout.readline()
        queue = overround("queue", "status", "--json", env=env)
        assert json.loads(queue.stdout)["running"] is True
        integrity = overround("doctor", "--integrity", "--json", env=env)
        assert integrity.returncode == 0, integrity.stderr
        report = json.loads(integrity.stdout)
        assert (report["lost"], report["extra"]) == (0, 0)
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=PATIENCE)


def test_help_answers_quickly_and_names_the_commands() -> None:
    """The help lists every command without loading the service."""
    code = "import sys; from overround.cli.main import app\ntry: app(['--help'])\nexcept SystemExit: pass\n"
    code += "heavy = {'sqlalchemy', 'fastapi', 'aiohttp', 'pydantic'} & set(sys.modules); sys.exit(bool(heavy))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603 - our own
    assert result.returncode == 0
    assert re.findall(r"demo|serve|scrape|normalise|queue", result.stdout.decode())
