"""Dead letters as users reach them: over HTTP, and by the command line with a service and without."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from overround.cli.main import app
from overround.cli.service_file import announced
from overround.records.batch import MarketWriteData, SnapshotWriteData, WriteBatch
from tests.integration.write_data import rows
from tests.support.service import Api, running_api

LETTERS = "/api/queue/dead-letters"
Run = Callable[..., Any]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service with three dead letters; the first two can be written by now."""
    async with running_api(database_url, tmp_path) as api:
        await submit(api, 9000, 9001)
        await submit(api, 2100, specifiers="line=\x00")
        await api_execute(api, "alter table latest_odds drop constraint cheap")
        yield api


async def submit(api: Api, *prices: int, specifiers: str = "") -> None:
    """Write snapshots that end in the dead letters."""
    if not specifiers:
        await api_execute(
            api, "alter table latest_odds add constraint cheap check ((unpacked_prices(prices))[1] < 5000) not valid"
        )
    snapshots = tuple(
        SnapshotWriteData(
            snapshot_id=uuid.uuid4(),
            sr_id=number,
            bookmaker="betpawa",
            captured_at=datetime(2026, 3, 1, tzinfo=UTC),
            body_hash=b"",
            markets=(MarketWriteData(1, specifiers, (price, 3000, 4000)),),
        )
        for number, price in enumerate(prices, start=1)
    )
    queue = api.service.write_queue
    assert queue is not None
    await queue.enqueue(WriteBatch(scrape_run_id=1, batch_index=0, snapshots=snapshots))
    await queue.drain()


async def api_execute(api: Api, statement: str) -> None:
    """Change the service's database."""
    async with api.service.database.engine.begin() as connection:
        await connection.execute(text(statement))


async def drain(api: Api) -> None:
    """Wait until all is written."""
    assert api.service.write_queue is not None
    await api.service.write_queue.drain()


async def post(api: Api, verb: str, body: object) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of an answer."""
    async with api.session.post(f"{LETTERS}/{verb}", json=body) as response:
        return response.status, await response.json()


async def page(api: Api, query: str = "") -> dict[str, Any]:
    """Return a page of dead letters."""
    answer = await api.get(LETTERS + query)
    assert isinstance(answer, dict)
    return answer


async def test_dead_letters_are_listed_and_shown(api: Api) -> None:
    """The list pages by id and counts kinds; one letter has its content, readable."""
    first = await page(api, "?limit=2")
    assert (first["total"], first["kinds"], first["next_after"]) == (3, {"snapshot": 3}, 2)
    assert [(one["id"], one["event_id"], one["sqlstate"]) for one in first["letters"]] == [
        (1, 1, "23514"),
        (2, 2, "23514"),
    ]
    rest = await page(api, "?after=2")
    assert ([one["sqlstate"] for one in rest["letters"]], rest["next_after"]) == (["22021"], None)
    letter = await api.get(f"{LETTERS}/1")
    assert isinstance(letter, dict)
    assert letter["content"]["markets"] == [[1, "", [9000, 3000, 4000]]]
    queue = await api.get("/api/queue")
    assert isinstance(queue, dict)
    assert (queue["state"], queue["dead_lettered"], queue["dead_snapshots"]) == ("running", 3, 3)


async def test_what_is_not_there_or_not_clear_is_a_problem(api: Api) -> None:
    """An unknown id is 404 with a code; neither ids nor all, or both, is refused."""
    async with api.session.get(f"{LETTERS}/99") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "unknown_dead_letter"
    for body in ({}, {"ids": [1], "all": True}, {"ids": [0]}, {"ids": [2**63]}, {"everything": True}):
        assert (await post(api, "retry", body))[0] == 422


async def test_dead_letters_are_retried_over_http(api: Api, engine: AsyncEngine) -> None:
    """What can be written by now is, and its letter is gone; what fails again is a letter with a new id."""
    status, answer = await post(api, "retry", {"ids": [1, 3, 99]})
    assert (status, answer) == (202, {"retried": [1, 3], "unknown": [99], "refused": []})
    await drain(api)
    assert [one["id"] for one in (await page(api))["letters"]] == [2, 4]
    assert (await post(api, "retry", {"all": True}))[1]["retried"] == [2, 4]
    await drain(api)
    assert [one["id"] for one in (await page(api))["letters"]] == [5]
    assert await rows(engine, "select event_id from odds_snapshots order by 1") == [(1,), (2,)]


async def test_dead_letters_are_dropped_over_http(api: Api) -> None:
    """Dropped letters are gone, and are named."""
    assert await post(api, "drop", {"ids": [3, 99]}) == (200, {"dropped": [3], "unknown": [99]})
    assert await post(api, "drop", {"all": True}) == (200, {"dropped": [1, 2], "unknown": []})
    assert (await page(api))["total"] == 0


async def test_a_database_that_is_away_is_a_problem(api: Api) -> None:
    """Without the table, or without its server, the answer is 503 with a code."""
    await api_execute(api, "alter table dead_letters rename to gone")
    async with api.session.get(LETTERS) as response:
        assert (response.status, (await response.json())["code"]) == (503, "database_unavailable")


@pytest.fixture
def overround(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Run:
    """Return what runs the command line on this test's data directory and database."""
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OVERROUND_DATABASE_URL", database_url)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["queue", *arguments]))

    return run


def printed(result: Result) -> dict[str, Any]:
    """Return the JSON that a command printed; the service in this process logs to the same stdout."""
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


async def test_the_command_line_asks_the_running_service(api: Api, overround: Run, tmp_path: Path) -> None:
    """With a service, all five commands go through it; exit codes tell what was done."""
    assert api.session._base_url is not None
    with announced(tmp_path, str(api.session._base_url).rstrip("/")):
        assert printed(await overround("status", "--json"))["running"] is True
        listed = printed(await overround("dead-letters", "--limit", "1", "--json"))
        assert (listed["total"], len(listed["letters"])) == (3, 1)
        assert "snapshot" in (await overround("dead-letters")).stdout
        assert printed(await overround("show", "1", "--json"))["id"] == 1
        missing = await overround("show", "99")
        assert (missing.exit_code, "no dead letter 99" in missing.stderr) == (1, True)
        assert (await overround("retry")).exit_code == 2
        assert (await overround("retry", "1", "--all")).exit_code == 2
        retried = await overround("retry", "1", "99", "--json")
        assert (retried.exit_code, printed(retried)["retried"]) == (3, [1])
        await drain(api)
        assert (await overround("retry", "1")).exit_code == 4
        dropped = await overround("drop", "--all", "--json")
        assert (dropped.exit_code, printed(dropped)) == (0, {"dropped": [2, 3], "unknown": []})
        assert (await overround("drop", "--all")).exit_code == 4


async def test_held_rows_are_reached_over_http_and_by_commands(api: Api, overround: Run, tmp_path: Path) -> None:
    """A bookmaker beyond its allowance is listed and degrades the service; a retry says why not, and writes at last."""
    await submit(api, *[9000] * 30)
    ready = await api.get("/health/ready")
    assert (ready["status"], [one["bookmaker"] for one in ready["reasons"]]) == ("degraded", ["betpawa"])
    assert ready["reasons"][0]["code"] == "rows_held"
    assert "23514" in ready["reasons"][0]["text"]
    assert (await api.get("/api/queue"))["held_snapshots"] == 12
    assert printed(await overround("held", "--json"))["bookmakers"][0]["rows"] == 1  # read in the database
    assert api.session._base_url is not None
    with announced(tmp_path, str(api.session._base_url).rstrip("/")):
        (held,) = printed(await overround("held", "--json"))["bookmakers"]
        assert (held["bookmaker"], held["snapshots"], held["full"]) == ("betpawa", 12, False)
        assert "betpawa" in (await overround("held")).stdout
        failed = await overround("retry", "--bookmaker", "betpawa", "--json")
        assert (failed.exit_code, printed(failed)["passed"]) == (3, False)
        assert (await overround("retry", "1", "--bookmaker", "betpawa")).exit_code == 2
        await api_execute(api, "alter table latest_odds drop constraint cheap")
        passed = await overround("retry", "--bookmaker", "betpawa", "--json")
        assert (passed.exit_code, printed(passed)["applied"]) == (0, 12)
        assert (await overround("drop", "--bookmaker", "betpawa")).exit_code == 1
    assert await api.get("/api/queue/held") == {"bookmakers": []}
    assert (await api.get("/health/ready"))["status"] == "ready"


async def test_the_command_line_reads_the_database_where_no_service_runs(api: Api, overround: Run) -> None:
    """Without a service, reading goes to the database; what changes something needs a service."""
    del api  # its address was not announced
    status = printed(await overround("status", "--json"))
    assert (status["running"], status["dead_letters"]) == (False, {"snapshot": 3})
    assert printed(await overround("dead-letters", "--json"))["total"] == 3
    assert printed(await overround("show", "3", "--json"))["content"]["sr_id"] == 1
    assert (await overround("retry", "--all")).exit_code == 4
    assert (await overround("drop", "1")).exit_code == 4


async def test_without_service_and_database_there_is_nothing_to_do(
    overround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nothing was ever stored, reading makes no database."""
    monkeypatch.delenv("OVERROUND_DATABASE_URL")
    assert (await overround("status")).exit_code == 4
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []
