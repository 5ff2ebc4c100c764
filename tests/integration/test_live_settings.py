"""Settings over the API: applied at once, kept over a restart, bounded."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.repositories import PostgresOverrides
from overround.settings import BookmakerSettings, ScheduleSettings
from tests.support.service import Api, running_api


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has not scraped yet."""
    async with running_api(database_url, tmp_path) as api:
        yield api


async def put(api: Api, change: object) -> tuple[int, Any]:
    """Change settings; return the answer."""
    async with api.session.put("/api/settings", json=change) as response:
        return response.status, await response.json()


async def test_a_change_is_applied_at_once(api: Api) -> None:
    """Intervals, limits and retention reach the parts that go by them; what was left out stays as it was."""
    before = await api.get("/api/settings")
    change: dict[str, Any] = {
        "schedule": {"short_interval_seconds": 90, "near_kickoff_seconds": 600},
        "bookmakers": {"bet9ja": {"concurrency": 3, "min_interval_ms": 50, "requests_per_minute": 600}},
        "retention": {"odds_snapshots_days": 30},
    }
    status, after = await put(api, change)
    assert status == 200
    assert after == await api.get("/api/settings")
    assert after["schedule"] == {**before["schedule"], **change["schedule"]}
    assert after["bookmakers"] == {
        **before["bookmakers"],
        "bet9ja": {**before["bookmakers"]["bet9ja"], **change["bookmakers"]["bet9ja"]},
    }
    service = api.service
    turns = service.fetchers["bet9ja"].turns()
    assert (turns.limit, turns.allowed, turns.minute_budget) == (3, 3, 600)
    assert service.scheduler.status().short_interval_seconds == 90
    assert service.coordinator.near_kickoff == timedelta(minutes=10)
    assert service.maintenance.keep["odds_snapshots"] == timedelta(days=30)


async def test_a_change_survives_a_restart(database_url: str, tmp_path: Path) -> None:
    """A new process goes by what was changed; null goes back to what it was started with."""
    async with running_api(database_url, tmp_path) as api:
        before = await api.get("/api/settings")
        await put(api, {"bookmakers": {"bet9ja": {"concurrency": 3, "enabled": False}}})
    async with running_api(database_url, tmp_path) as api:
        assert (await api.get("/api/settings"))["bookmakers"]["bet9ja"]["concurrency"] == 3
        assert list(api.service.roster) == ["betpawa", "sportybet"]
        assert api.service.fetchers["bet9ja"].turns().limit == 3
        _, after = await put(api, {"bookmakers": {"bet9ja": {"concurrency": None, "enabled": None}}})
        assert after == before


async def test_bookmakers_are_switched_off_and_on(api: Api) -> None:
    """A bookmaker that is switched off is not asked in the next run, and asked again once it is on."""
    asked = []
    for enabled in (False, True):
        await put(api, {"bookmakers": {"bet9ja": {"enabled": enabled}}})
        before = api.service.fetchers["bet9ja"].statistics.figures().requests
        await api.cycle()
        asked.append(api.service.fetchers["bet9ja"].statistics.figures().requests > before)
        (shown,) = [one for one in (await api.get("/api/bookmakers"))["bookmakers"] if one["slug"] == "bet9ja"]
        assert shown["enabled"] is enabled
    assert asked == [False, True]


async def test_a_bookmaker_that_was_off_at_the_start_can_join(database_url: str, tmp_path: Path) -> None:
    """Switched on for the first time, it is scraped and shown without a restart."""
    changes = {"bet9ja": BookmakerSettings(enabled=False)}
    async with running_api(database_url, tmp_path, changes) as api:
        await put(api, {"bookmakers": {"bet9ja": {"enabled": True}}})
        await api.cycle()
        events = (await api.get("/api/events?text=arsenal"))["events"]
        assert list(events[0]["bookmakers"]) == ["betpawa", "sportybet", "bet9ja"]
        assert events[0]["bookmakers"]["bet9ja"]["received_at"] is not None


UNFIT: tuple[tuple[object, str], ...] = (
    ({"schedule": {"short_interval_seconds": 0}}, "invalid_request"),
    ({"schedule": {"short_interval_seconds": "60"}}, "invalid_request"),
    ({"schedule": {"short_interval_seconds": 600, "long_interval_seconds": 60}}, "settings_invalid"),
    ({"schedule": {"enabled": True}}, "invalid_request"),
    ({"bookmakers": {"bet9ja": {"concurrency": 501}}}, "invalid_request"),
    ({"bookmakers": {"bet9ja": {"base_url": "http://evil.example"}}}, "invalid_request"),
    ({"bookmakers": {"nobody": {"enabled": True}}}, "settings_invalid"),
    ({"bookmakers": {"a.b": {"enabled": True}}}, "settings_invalid"),
    ({"bookmakers": {"\u0000'; drop table events; --": {"enabled": True}}}, "settings_invalid"),
    ({"retention": {"odds_snapshots_days": 10**9}}, "invalid_request"),
    ([], "invalid_request"),
)


async def test_what_does_not_fit_changes_nothing(api: Api) -> None:
    """A change that is out of bounds in one place is refused whole."""
    before = await api.get("/api/settings")
    for change, code in UNFIT:
        status, problem = await put(api, change)
        assert (status, problem["code"]) == (422, code), change
    assert await api.get("/api/settings") == before


async def test_kept_values_that_no_longer_fit_are_left_out(
    database_url: str, tmp_path: Path, engine: AsyncEngine
) -> None:
    """A bookmaker that has gone, or a bound that has moved, is no reason not to start."""
    kept = {
        "bookmakers.gone.enabled": True,
        "schedule.short_interval_seconds": -1,
        "schedule.long_interval_seconds": 900,
    }
    await PostgresOverrides(engine).save(kept, SystemClock().now())
    async with running_api(database_url, tmp_path) as api:
        schedule = (await api.get("/api/settings"))["schedule"]
        assert (schedule["short_interval_seconds"], schedule["long_interval_seconds"]) == (60, 900)


async def test_a_running_schedule_moves(database_url: str, tmp_path: Path) -> None:
    """The next cycle comes one new interval from now; a paused schedule stays paused."""
    hourly = ScheduleSettings(short_interval=timedelta(hours=1), long_interval=timedelta(hours=1))
    async with running_api(database_url, tmp_path, schedule=hourly) as api:
        await put(api, {"schedule": {"short_interval_seconds": 100}})
        assert 0 < (await api.get("/api/scheduler"))["seconds_to_next_run"] <= 100
        async with api.session.post("/api/scheduler/pause"):
            pass
        await put(api, {"schedule": {"short_interval_seconds": 50}})
        scheduler = await api.get("/api/scheduler")
        assert (scheduler["paused"], scheduler["seconds_to_next_run"]) == (True, None)
