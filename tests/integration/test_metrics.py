"""The figures for Prometheus, as its own parser reads them, and the alert rules that stand on them."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from overround.api.framework.request_meter import UNMATCHED
from tests.support.service import Api, running_api

ALERTS = Path(__file__).parents[2] / "docs" / "operations" / "alerts.yml"
_METRIC = re.compile(r"\boverround_\w+")


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has run one cycle."""
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        yield api


async def samples(api: Api) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of the service by name and labels."""
    async with api.session.get("/metrics") as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        text = await response.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_say_what_the_queue_says(api: Api) -> None:
    """Prometheus reads the same sums that the API reports, histograms included."""
    queue = await api.get("/api/queue")
    found = await samples(api)
    nothing: frozenset[tuple[str, str]] = frozenset()
    assert found["overround_queue_accepted_snapshots_total", nothing] == queue["accepted_snapshots"] > 0
    assert found["overround_queue_applied_snapshots_total", nothing] == queue["applied_snapshots"]
    assert found["overround_queue_pending_batches", nothing] == 0
    assert found["overround_queue_commit_seconds_count", nothing] == queue["commit"]["count"] > 0
    assert found["overround_queue_writer_state", frozenset({("state", "running")})] == 1
    assert found["overround_cache_unaccepted", nothing] == 0


async def test_every_bookmaker_shows_how_old_its_prices_are(api: Api) -> None:
    """Each bookmaker has a last success and a staleness of its own."""
    found = await samples(api)
    stale = {
        dict(labels)["bookmaker"]: value
        for (name, labels), value in found.items()
        if name.endswith("staleness_seconds")
    }
    assert set(stale) == {"betpawa", "sportybet", "bet9ja"}
    assert all(0 <= value < 60 for value in stale.values())


async def test_metrics_say_what_the_bookmakers_say(api: Api) -> None:
    """Requests, bytes, times, limits and errors of each bookmaker are those that the API reports."""
    reported = (await api.get("/api/bookmakers"))["bookmakers"]
    found = await samples(api)
    for one in reported:
        labels = frozenset({("bookmaker", one["slug"])})
        assert found["overround_bookmaker_requests_total", labels] == one["requests"] > 0
        assert found["overround_bookmaker_received_bytes_total", labels] == one["bytes"]
        assert 0 < found["overround_bookmaker_answer_seconds_count", labels] <= one["requests"]
        assert found["overround_bookmaker_concurrency_allowed", labels] == one["concurrency"]["allowed"]
        assert found["overround_bookmaker_events", labels] == one["events"]
        assert found["overround_bookmaker_breaker_state", labels | {("state", "closed")}] == 1
        assert found["overround_bookmaker_errors_total", labels | {("class", "circuit_open")}] == 0


async def test_requests_are_counted_by_route_and_status(api: Api) -> None:
    """Answers are counted under the route's template, and made-up paths and methods all under one name."""
    for path in ("/api/events/1", "/api/events/2", "/api/events/x", "/api/no/such/thing", "/api/nor/this"):
        async with api.session.get(path) as response:
            assert response.status in {404, 422}
    async with api.session.request("PROPFIND", "/api/events"):
        pass
    counted = {
        (found["method"], found["route"], found["status"]): value
        for (name, labels), value in (await samples(api)).items()
        if name == "overround_http_request_seconds_count" and (found := dict(labels))
    }
    assert counted["GET", "/api/events/{sr_id}", "404"] == 2
    assert counted["GET", "/api/events/{sr_id}", "422"] == 1
    assert counted["GET", UNMATCHED, "404"] == 2
    assert {method for method, _, _ in counted} == {"GET", "other"}


async def test_the_event_loop_is_watched(api: Api) -> None:
    """Lateness of the event loop and the process's memory are shown."""
    found = await samples(api)
    assert found["overround_event_loop_lag_seconds_count", frozenset()] > 0
    assert found["overround_process_resident_memory_bytes", frozenset()] > 10_000_000


async def test_events_are_encoded_before_anybody_asks(api: Api) -> None:
    """A running service keeps every event with prices in encoded form by itself, and says in how much memory."""
    nothing: frozenset[tuple[str, str]] = frozenset()
    await asyncio.wait_for(api.app.state.encoder.round(), 60)
    found = await samples(api)
    assert found["overround_encoded_events", nothing] == found["overround_cache_events", nothing] > 0
    assert found["overround_encoded_bytes", nothing] > 1000
    assert found["overround_encoder_rounds_total", nothing] > 0


async def test_alert_rules_name_metrics_that_exist(api: Api) -> None:
    """Every metric of the alert rules is one that the service shows after a cycle, a check and a request."""
    await api.get("/health/live")
    await api.service.integrity.run()
    names = {name for name, _ in await samples(api)}
    used = set(_METRIC.findall(ALERTS.read_text()))
    assert used
    assert used - names == set()
