"""`GET /api/status`, on recordings and a real database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from overround.errors import FetchError, TransientFetchError
from tests.support.service import Api, running_api


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has run one cycle and one round of upkeep."""
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        await api.service.maintenance.run()
        yield api


async def codes(api: Api) -> set[str]:
    """Return the codes of the alerts; none may be there twice."""
    found = [alert["code"] for alert in (await api.get("/api/status"))["alerts"]]
    assert len(found) == len(set(found))
    return set(found)


async def readiness(api: Api) -> tuple[int, Any]:
    """Return what /health/ready says."""
    async with api.session.get("/health/ready") as response:
        return response.status, await response.json()


async def test_status_of_a_service_that_is_well(api: Api) -> None:
    """A ready service has no alerts, and tells its version, start, cache, database and process."""
    status = await api.get("/api/status")
    assert (status["ready"], status["alerts"]) == (True, [])
    assert status["started_at"] < status["now"]
    assert status["version"]
    assert status["cache"]["events"] > 0
    assert status["cache"]["unaccepted"] == 0
    assert status["database"]["ready"]
    assert status["database"]["size_bytes"] > 1_000_000
    assert status["process"]["rss_bytes"] > 10_000_000
    assert status["process"]["loop_lag_p99_ms"] >= 0


async def test_what_is_not_ready_is_an_alert(api: Api) -> None:
    """Every reason of /health/ready is an alert too, with the same code and words; that one is critical."""
    api.service.database.ready.clear()
    status = await api.get("/api/status")
    assert not status["ready"]
    code, health = await readiness(api)
    assert code == 503
    told = [{name: alert[name] for name in ("code", "text", "since")} for alert in status["alerts"]]
    assert told == health["reasons"]
    assert {alert["severity"] for alert in status["alerts"]} == {"critical"}
    assert await codes(api) == {"database_away"}


async def test_a_bookmaker_left_alone_is_a_warning(api: Api) -> None:
    """An open breaker is named, and does not make the service unready."""
    turns = api.service.fetchers["bet9ja"]._turns
    for _ in range(20):
        with pytest.raises(FetchError):
            async with turns.take("event"):
                raise TransientFetchError("bet9ja", "event", "reset")
    assert await codes(api) == {"bookmaker_left_alone"}
    (alert,) = (await api.get("/api/status"))["alerts"]
    assert alert["severity"] == "warning"
    assert alert["text"].endswith(": Bet9ja")
    assert (await readiness(api))[0] == 200
