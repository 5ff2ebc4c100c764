"""`GET /api/bookmakers`, on recordings and a real database."""

from pathlib import Path

from overround.settings import BookmakerSettings
from tests.support.service import running_api


async def test_bookmakers_show_what_asking_has_brought(database_url: str, tmp_path: Path) -> None:
    """After a cycle each bookmaker has its requests, times, bytes, ages and events, the reference first."""
    async with running_api(database_url, tmp_path) as api:
        before = await api.get("/api/bookmakers")
        await api.cycle()
        after = await api.get("/api/bookmakers")
        coverage = await api.get("/api/coverage")
    assert [one["slug"] for one in before["bookmakers"]] == ["betpawa", "sportybet", "bet9ja"]
    assert [one["reference"] for one in before["bookmakers"]] == [True, False, False]
    assert all(one["last_success_at"] is None and one["requests"] == 0 for one in before["bookmakers"])
    assert all(one["latency_ms"] == {"p50": None, "p95": None} for one in before["bookmakers"])
    for one in after["bookmakers"]:
        assert one["enabled"]
        assert one["requests"] >= one["events"] == coverage["bookmakers"][one["slug"]]["events"] > 0
        assert one["markets"] > 0
        assert one["bytes"] > 1000
        assert 0 <= one["latency_ms"]["p50"] <= one["latency_ms"]["p95"]
        assert (one["errors"], one["last_error"]) == ({}, None)
        assert 0 <= one["staleness_seconds"] < 60
        assert one["concurrency"]["allowed"] == one["concurrency"]["limit"] > 0
        assert one["concurrency"]["in_use"] == 0
        assert one["breaker"]["state"] == "closed"
        assert one["requests_per_minute"] == {"budget": None, "used": one["requests"]}


async def test_bookmaker_that_is_switched_off_is_shown_as_such(database_url: str, tmp_path: Path) -> None:
    """One that the settings do not want stands last, without figures; a budget is shown where there is one."""
    changes = {
        "sportybet": BookmakerSettings(enabled=False),
        "bet9ja": BookmakerSettings(requests_per_minute=600),
    }
    async with running_api(database_url, tmp_path, changes) as api:
        await api.cycle()
        betpawa, bet9ja, sportybet = (await api.get("/api/bookmakers"))["bookmakers"]
    assert (sportybet["slug"], sportybet["enabled"], sportybet["events"]) == ("sportybet", False, 0)
    assert betpawa["enabled"]
    assert bet9ja["requests_per_minute"]["budget"] == 600
    assert sportybet["concurrency"] == {"limit": 0, "allowed": 0, "in_use": 0}
