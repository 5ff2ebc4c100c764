"""What the command line reports, the API reports, with the same numbers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from overround.cli.main import app
from overround.cli.service_file import announced
from overround.records.stored import Role
from tests.integration.test_dead_letters_access import submit
from tests.integration.test_security import add_key
from tests.support.service import Api, running_api

SAME: Mapping[str, str] = {
    "queue status": "/api/queue",
    "queue dead-letters": "/api/queue/dead-letters",
    "queue show 1": "/api/queue/dead-letters/1",
    "db status": "/api/database",
    "doctor --markets": "/api/markets/checks?limit=10000",
    "doctor --integrity": "/api/integrity",
    "markets list": "/api/markets",
    "markets list --sport tennis --group main": "/api/markets?sport=tennis&group=main",
    "markets show match_result": "/api/markets/match_result",
    "markets coverage": "/api/markets/coverage?worst=1000",
    "keys list": "/api/keys",
}
# What one of the two says beside: how much of a list was asked for, and what only a command can have left out.
OF_ONE_SIDE = {"total", "limit", "offset", "skipped"}


@pytest.fixture
async def api(
    database_url: str, tmp_path: Path, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """Yield a client of a service that commands find; it has scraped, has a key and a dead letter."""
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OVERROUND_DATABASE_URL", database_url)
    await add_key(engine, Role.READ)
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        await submit(api, 9000)
        with announced(tmp_path, api.address):
            yield api


async def reported(command: str) -> dict[str, Any]:
    """Return what a command prints with --json."""
    result = await asyncio.to_thread(lambda: CliRunner().invoke(app, [*command.split(), "--json"]))
    assert result.exit_code in {0, 3}, f"{command}: {result.output}"
    report: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return report


def numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both sides have to agree on."""
    return {name: value for name, value in report.items() if name not in OF_ONE_SIDE}


async def test_reports_are_the_same(api: Api) -> None:
    """Each command that reports has an endpoint that says the same."""
    for command, path in SAME.items():
        # The command first: one of them makes the report that the endpoint then shows.
        told = await reported(command)
        assert numbers(told) == numbers(await api.get(path)), command


async def test_a_run_from_the_command_line_is_the_services(api: Api) -> None:
    """With a service, `scrape --once` has it run a cycle, and reports that run as the API does."""
    told = await reported("scrape --once")
    listed = (await api.get("/api/scrape/runs?limit=1"))["runs"][0]
    assert told == listed
    assert (told["kind"], told["status"]) == ("cycle", "completed")


async def test_the_doctor_tells_what_the_service_knows(api: Api) -> None:
    """`overround doctor` has the checks of GET /api/doctor, those of its own beside, and the worst state of all."""
    told, served = await reported("doctor"), await api.get("/api/doctor")
    own = [check["part"] for check in told["checks"] if check["part"] not in parts(served)]
    assert own == ["settings", "service"]
    assert parts(served) <= parts(told)
    ailing = {part: one for part, one in states(told).items() if one != "ok"}
    assert ailing == {"dead_letters": "warning"}
    assert told["state"] == served["state"] == "warning"


async def test_the_doctor_finds_what_is_wrong(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused schedule, a database that is away and settings that do not fit are each told with what to do."""
    api.service.scheduler.pause()
    api.service.database.ready.clear()
    monkeypatch.setenv("OVERROUND_REFERENCE", "nobody")
    told = await reported("doctor")
    found = states(told)
    assert (found["schedule"], found["database"], found["settings"]) == ("warning", "critical", "critical")
    assert told["state"] == "critical"
    assert all(check["remedy"] for check in told["checks"] if check["state"] != "ok")


async def test_the_doctor_needs_no_service(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none runs, the doctor says so, and looks at disk and database itself; one that is away is critical."""
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OVERROUND_DATABASE_URL", database_url)
    found = states(await reported("doctor"))
    assert found == {"settings": "ok", "service": "warning", "disk": "ok", "database": "ok"}
    monkeypatch.setenv("OVERROUND_DATABASE_URL", "postgresql://overround@127.0.0.1:1/overround")
    assert states(await reported("doctor"))["database"] == "critical"


def parts(report: Mapping[str, Any]) -> set[str]:
    """Return the names of what was looked at."""
    return {check["part"] for check in report["checks"]}


def states(report: Mapping[str, Any]) -> dict[str, str]:
    """Return how each part is."""
    return {check["part"]: check["state"] for check in report["checks"]}
