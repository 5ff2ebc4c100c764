"""The HTTP service as a client sees it, on recordings and a real database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.support.service import Api, running_api


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has not scraped yet."""
    async with running_api(database_url, tmp_path) as api:
        yield api


async def events(api: Api, query: str = "") -> dict[str, Any]:
    """Return a page of events."""
    page = await api.get(f"/api/events{query}")
    assert isinstance(page, dict)
    return page


async def test_search_does_not_mind_diacritics(api: Api) -> None:
    """Neither those of the search nor those of the names."""
    await api.cycle()
    context = api.service.context
    event = next(one for one in context.book.events() if one.home.startswith("Arsenal"))
    context.book.put_event(msgspec.structs.replace(event, away="Malm\u00f6 \u0141KS"))
    for text in ("Ars%C3%A9nal", "malmo", "MALM%C3%96", "lks", "%C5%81KS%20arsenal"):
        assert [found["sr_id"] for found in (await events(api, f"?text={text}"))["events"]] == [event.sr_id]
    assert (await events(api, "?country=Nowhere&text=malmo"))["events"] == []


async def test_events_show_all_bookmakers_side_by_side(api: Api) -> None:
    """An event that three bookmakers list is one event with three sets of prices, margins and ages."""
    await api.cycle()
    page = await events(api, "?text=arsenal")
    assert page["total"] == 1
    (event,) = page["events"]
    assert list(event["bookmakers"]) == ["betpawa", "sportybet", "bet9ja"]
    result = next(market for market in event["markets"] if market["market"] == "match_result")
    assert result["outcomes"] == ["home", "draw", "away"]
    for prices in result["bookmakers"].values():
        assert [outcome["outcome"] for outcome in prices["outcomes"]] == ["home", "draw", "away"]
        assert all(outcome["state"] == "active" for outcome in prices["outcomes"])
        assert 0 < prices["margin"] < 0.2
        assert prices["confirmed_at"] is None, "the same as the event's"
    for slug, freshness in event["bookmakers"].items():
        assert result["bookmakers"][slug]["changed_at"] <= freshness["confirmed_at"]


async def test_events_are_paged_and_capped(api: Api) -> None:
    """Limit and offset cut the list; beyond the cap a request is refused by name."""
    await api.cycle()
    everything = await events(api)
    first, second = await events(api, "?limit=2"), await events(api, "?limit=2&offset=2")
    assert first["total"] == everything["total"] > 3
    ids = [event["sr_id"] for page in (first, second) for event in page["events"]]
    assert ids == [event["sr_id"] for event in everything["events"]][:4]
    async with api.session.get("/api/events?limit=1000") as response:
        assert (response.status, response.content_type) == (422, "application/problem+json")
        assert (await response.json())["code"] == "invalid_request"


async def test_chosen_markets_with_lines(api: Api) -> None:
    """A client chooses markets, with their lines."""
    await api.cycle()
    page = await events(api, "?text=arsenal&markets=total_goals:line%3D1.5")
    (market,) = page["events"][0]["markets"]
    assert (market["market"], market["specifiers"]) == ("total_goals", {"line": "1.5"})


async def test_one_event_has_every_market(api: Api) -> None:
    """A single event comes with all markets that any bookmaker has, in catalogue order."""
    await api.cycle()
    sr_id = (await events(api, "?text=arsenal"))["events"][0]["sr_id"]
    event = await api.get(f"/api/events/{sr_id}")
    assert isinstance(event, dict)
    keys = {market["market"] for market in event["markets"]}
    assert {"match_result", "double_chance", "total_goals", "correct_score", "half_time_full_time"} <= keys


async def test_an_unknown_event_is_a_problem(api: Api) -> None:
    """An event that nobody lists is answered with 404 and a code."""
    for method, path in (("GET", "/api/events/4711"), ("POST", "/api/scrape/event/4711")):
        async with api.session.request(method, path) as response:
            assert response.status == 404
            assert (await response.json())["code"] == "unknown_event"


async def test_a_cycle_is_started_once_and_listed(api: Api) -> None:
    """Starting answers 202 with the run's id, a second start meanwhile 409 with the same; the run is listed."""
    async with api.session.post("/api/scrape/start") as response:
        assert response.status == 202
        run_id = (await response.json())["run_id"]
    async with api.session.post("/api/scrape/start") as response:
        assert response.status == 409
        problem = await response.json()
        assert (problem["code"], problem["run_id"]) == ("run_in_progress", run_id)
    runs = await api.get("/api/scrape/runs")
    assert isinstance(runs, dict)
    assert runs["runs"][0]["run_id"] == run_id


async def test_an_event_is_scraped_on_demand(api: Api) -> None:
    """An on-demand scrape is a run of kind `event` that asks every bookmaker which lists it."""
    await api.cycle()
    sr_id = (await events(api, "?text=arsenal"))["events"][0]["sr_id"]
    async with api.session.post(f"/api/scrape/event/{sr_id}") as response:
        run = await response.json()
    assert (run["kind"], run["status"]) == ("event", "completed")
    assert sum(counts["confirmed"] for counts in run["counts"].values()) == 3


async def test_health_tells_alive_from_ready(api: Api) -> None:
    """A running service is alive and ready."""
    assert await api.get("/health/live") == {"status": "live", "reasons": []}
    assert await api.get("/health/ready") == {"status": "ready", "reasons": []}


async def test_the_queue_is_shown(api: Api) -> None:
    """After a cycle the queue reports what it wrote and that nothing is pending."""
    await api.cycle()
    queue = await api.get("/api/queue")
    assert isinstance(queue, dict)
    assert queue["asynchronous"] is True
    assert queue["pending"] == 0
    assert queue["snapshots_written"] > 0


async def test_every_address_of_the_page_answers_its_index(api: Api) -> None:
    """All of the page's addresses can be opened directly, and no script may stand in the index itself."""
    for path in ("/", "/events/97000101", "/coverage", "/runs", "/health-board", "/settings"):
        async with api.session.get(path) as response:
            assert response.status in {200, 503}  # 503 says how to build the page
            assert "script-src" not in response.headers["content-security-policy"]
            assert response.headers["content-security-policy"].startswith("default-src 'self';")
            assert "<title>Overround</title>" in await response.text()


async def test_the_openapi_document_is_served(api: Api) -> None:
    """The API describes itself as OpenAPI 3.1."""
    document = await api.get("/api/openapi.json")
    assert isinstance(document, dict)
    assert document["openapi"].startswith("3.1")
    assert "/api/events/{sr_id}" in document["paths"]


async def test_a_restart_answers_from_what_was_stored(database_url: str, tmp_path: Path) -> None:
    """A new process shows the stored prices before it has asked any bookmaker."""
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        before = await events(api)
    async with running_api(database_url, tmp_path) as api:
        after = await events(api)
    prices = [[event["markets"] for event in page["events"]] for page in (before, after)]
    assert prices[0] == prices[1]
    assert prices[0]


async def test_a_run_is_read_with_phases_and_failures(api: Api) -> None:
    """A run comes with its phases and its failures one by one; an unknown run is a 404 of its own."""
    await api.cycle()
    (listed,) = (await api.get("/api/scrape/runs?limit=1"))["runs"]
    assert listed["phases"]["discovery_ms"] > 0
    assert listed["markets_changed"] > 0
    run = await api.get(f"/api/scrape/runs/{listed['run_id']}")
    assert run["failures"] == []
    changed = await api.get(f"/api/scrape/runs/{listed['run_id']}/changes?limit=1")
    assert changed["total_markets"] == listed["markets_changed"]
    assert changed["total"] == sum(counts["changed"] for counts in listed["counts"].values())
    assert [(one["home"] != "", one["markets"] > 0) for one in changed["changes"]] == [(True, True)]
    async with api.session.get("/api/scrape/runs/4711/changes") as response:
        assert response.status == 404
    async with api.session.get("/api/scrape/runs/4711") as response:
        assert (response.status, (await response.json())["code"]) == (404, "unknown_run")
    async with api.session.post(f"/api/scrape/runs/{listed['run_id']}/retry") as response:
        assert (response.status, (await response.json())["code"]) == (409, "nothing_to_retry")


async def test_an_event_on_demand_cools_down_over_http(api: Api) -> None:
    """The first scrape answers with its changes, the next at once is refused with the time to wait."""
    await api.cycle()
    sr_id = (await events(api, "?text=arsenal"))["events"][0]["sr_id"]
    async with api.session.post(f"/api/scrape/event/{sr_id}") as response:
        scrape = await response.json()
        assert (response.status, scrape["kind"], scrape["shared"], scrape["changes"]) == (200, "event", False, [])
    async with api.session.post(f"/api/scrape/event/{sr_id}") as response:
        assert (response.status, (await response.json())["code"]) == (429, "cooling_down")
        assert int(response.headers["Retry-After"]) >= 1


async def test_a_listing_is_linked_over_http(api: Api) -> None:
    """A link is made, listed and taken back; a listing that is not known is a 404 of its own."""
    await api.cycle()
    event = (await events(api, "?text=arsenal"))["events"][0]
    listing_id = event["bookmakers"]["betpawa"]["listing_id"]
    path = f"/api/listings/betpawa/{listing_id}/link"
    body = {"sr_id": event["sr_id"], "reason": "as the bookmaker says"}
    async with api.session.put(path, json=body) as response:
        assert response.status == 200, await response.text()
    (link,) = (await api.get("/api/listings/links"))["links"]
    assert (link["listing_id"], link["reason"]) == (listing_id, "as the bookmaker says")
    async with api.session.delete(path) as response:
        assert response.status == 204
    async with api.session.put("/api/listings/betpawa/nowhere/link", json=body) as response:
        assert (response.status, (await response.json())["code"]) == (404, "unknown_listing")


async def test_unmatched_listings_are_paged(api: Api) -> None:
    """The page of unmatched listings says how many there are."""
    await api.cycle()
    page = await api.get("/api/listings/unmatched?limit=1")
    assert page["total"] >= len(page["listings"])


async def test_coverage_adds_up(api: Api) -> None:
    """Tournaments sum up to the whole; what a bookmaker lists and what it misses are all events of a row."""
    await api.cycle()
    coverage = await api.get("/api/coverage")
    total = (await events(api))["total"]
    assert coverage["events"] == sum(row["events"] for row in coverage["rows"]) == total
    for row in coverage["rows"]:
        assert list(row["bookmakers"]) == ["betpawa", "sportybet", "bet9ja"]
        assert all(one["events"] + one["missing"] == row["events"] for one in row["bookmakers"].values())
    for slug, offer in coverage["bookmakers"].items():
        assert offer["events"] == sum(row["bookmakers"][slug]["events"] for row in coverage["rows"])
        assert offer["markets"] > 0


async def test_events_are_filtered(api: Api) -> None:
    """Every filter lets through exactly the events that are so, and filters add up."""
    await api.cycle()
    everything = (await events(api, "?limit=200"))["events"]
    one = everything[0]
    by_country = (await events(api, f"?limit=200&country={quote(one['country'])}"))["events"]
    assert {event["sr_id"] for event in by_country} == {
        event["sr_id"] for event in everything if event["country"] == one["country"]
    }
    later = (await events(api, f"?limit=200&from={quote(one['kickoff'])}&to={quote(one['kickoff'])}"))["events"]
    assert later == []
    complete = (await events(api, "?limit=200&availability=all"))["events"]
    listed = {
        event["sr_id"]: {slug for slug, one in event["bookmakers"].items() if one["listing_id"]} for event in everything
    }
    assert {event["sr_id"] for event in complete} == {sr_id for sr_id, slugs in listed.items() if len(slugs) == 3}
    missing = (await events(api, "?limit=200&availability=missing_reference"))["events"]
    assert {event["sr_id"] for event in missing} == {sr_id for sr_id, slugs in listed.items() if "betpawa" not in slugs}
    assert (await events(api, "?in_play=true"))["total"] == 0
    backwards = (await events(api, "?limit=200&sort=-kickoff"))["events"]
    assert [event["sr_id"] for event in backwards] == [event["sr_id"] for event in everything][::-1]


async def test_a_date_without_a_zone_is_refused(api: Api) -> None:
    """A kick-off range must say which time zone it means."""
    async with api.session.get("/api/events?from=2026-01-01T00:00:00") as response:
        assert (response.status, (await response.json())["code"]) == (422, "invalid_request")


async def test_an_empty_cell_says_why(api: Api) -> None:
    """Every bookmaker has a cell in every market, and one without prices tells the reason."""
    await api.cycle()
    page = await events(api, "?limit=200&markets=match_result,total_goals:line%3D99.5")
    for event in page["events"]:
        for market in event["markets"]:
            assert list(market["bookmakers"]) == ["betpawa", "sportybet", "bet9ja"]
            for slug, cell in market["bookmakers"].items():
                seen = event["bookmakers"][slug]["received_at"] is not None
                empty = "not_offered" if seen else "not_seen"
                assert cell["state"] == ("active" if market["market"] == "match_result" and seen else empty)
                assert bool(cell["outcomes"]) is (cell["state"] == "active")
