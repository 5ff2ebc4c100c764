"""Lists of events over HTTP: freshness, ETags, compression, order; on recordings and a real database."""

import csv
import io
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overround.api.events.schemas import EventPage, SingleEvent
from tests.support.service import Api, running_api

SLUGS = ["betpawa", "sportybet", "bet9ja"]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has scraped once."""
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        yield api


async def raw(api: Api, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and the bytes as they were sent."""
    async with api.session.get(path, headers={"Accept-Encoding": "identity", **headers}, auto_decompress=False) as got:
        return got.status, got.headers, await got.read()


async def test_answers_have_the_documented_shape(api: Api) -> None:
    """What is written by hand is what OpenAPI says, field by field."""
    _, _, body = await raw(api, "/api/events?limit=500&markets=match_result,total_goals:line%3D2.5")
    page = msgspec.json.decode(body)
    assert keys_of(EventPage.model_validate(page).model_dump(mode="json")) == keys_of(page)
    for listed in page["events"]:
        event = await api.get(f"/api/events/{listed['sr_id']}")
        assert keys_of(SingleEvent.model_validate(event).model_dump(mode="json")) == keys_of(event)


def keys_of(value: Any) -> Any:
    """Return a JSON value with its leaves left out."""
    if isinstance(value, dict):
        return {key: keys_of(one) for key, one in value.items()}
    return [keys_of(one) for one in value] if isinstance(value, list) else None


async def test_freshness_moves_and_the_etag_does_not(api: Api) -> None:
    """Another scrape without a change: later times of confirmation, the same ETag, and 304 for who has it."""
    _, headers, body = await raw(api, "/api/events")
    await api.cycle()
    _, later_headers, later_body = await raw(api, "/api/events")
    before, after = msgspec.json.decode(body), msgspec.json.decode(later_body)
    assert headers["ETag"] == later_headers["ETag"]
    for one, other in zip(before["events"], after["events"], strict=True):
        assert one["markets"] == other["markets"]
        for slug, fresh in one["bookmakers"].items():
            if fresh["received_at"] is not None:
                assert fresh["confirmed_at"] < other["bookmakers"][slug]["confirmed_at"]
                assert fresh["markets"] > 0
    status, not_modified, nothing = await raw(api, "/api/events", **{"If-None-Match": headers["ETag"]})
    assert (status, nothing, not_modified["ETag"]) == (304, b"", headers["ETag"])
    _, other_page, _ = await raw(api, "/api/events?limit=1")
    assert other_page["ETag"] != headers["ETag"]


async def test_one_event_has_an_etag_too(api: Api) -> None:
    """A single event is answered with 304 as long as no price of its changes; `markets` narrows it."""
    sr_id = (await api.get("/api/events"))["events"][0]["sr_id"]
    _, headers, _ = await raw(api, f"/api/events/{sr_id}")
    status, _, _ = await raw(api, f"/api/events/{sr_id}", **{"If-None-Match": headers["ETag"]})
    assert status == 304
    narrow = await api.get(f"/api/events/{sr_id}?markets=double_chance")
    assert [market["key"] for market in narrow["markets"]] == ["double_chance"]


@pytest.mark.parametrize("path", ["/api/events", "/api/events?limit=2&offset=1", "/api/events?text=nobody-at-all"])
async def test_compressed_answers_hold_the_same(api: Api, path: str) -> None:
    """Compressed, an answer is one gzip member of the same prices, and says what it depends on."""
    _, plain_headers, plain = await raw(api, path)
    _, headers, packed = await raw(api, path, **{"Accept-Encoding": "gzip, deflate"})
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert "Content-Encoding" not in plain_headers
    member = zlib.decompressobj(31)
    unpacked = msgspec.json.decode(member.decompress(packed))
    assert (member.eof, member.unused_data) == (True, b"")
    assert markets(unpacked) == markets(msgspec.json.decode(plain))


def markets(page: dict[str, Any]) -> list[Any]:
    """Return what a page says but for times."""
    return [page["total"], *([event["sr_id"], event["markets"]] for event in page["events"])]


@pytest.mark.parametrize("name", ["margin", "gap"])
async def test_events_are_sorted_by_figures_of_the_reference(api: Api, name: str) -> None:
    """Rising, or falling with a minus; events that have no such figure come last either way."""
    path = "/api/events?limit=500&markets=match_result&sort="
    rising = [figure(event, name) for event in (await api.get(path + name))["events"]]
    falling = [figure(event, name) for event in (await api.get(path + "-" + name))["events"]]
    known = [value for value in rising if value is not None]
    missing = len(rising) - len(known)
    assert known
    assert rising == sorted(known) + [None] * missing
    assert falling == sorted(known, reverse=True) + [None] * missing


def figure(event: dict[str, Any], name: str) -> float | None:
    """Return an event's margin or worst gap of the reference in its one market."""
    (market,) = event["markets"]
    if name == "margin":
        margin: float | None = market["bookmakers"]["betpawa"]["margin"]
        return margin
    gaps: Sequence[float | None] = market["reference"]["gap"]
    return min((gap for gap in gaps if gap is not None), default=None)


async def test_the_reference_is_compared_outcome_by_outcome(api: Api) -> None:
    """The best price is the highest active one, and the reference's rank and gap follow from the cells."""
    for event in (await api.get("/api/events?markets=match_result"))["events"]:
        (market,) = event["markets"]
        assert list(market["bookmakers"]) == SLUGS
        for place, best in enumerate(market["best"]):
            offered = {
                slug: float(cell["outcomes"][place]["price"])
                for slug, cell in market["bookmakers"].items()
                if cell["outcomes"] and cell["outcomes"][place]["state"] == "active"
            }
            assert float(best["price"]) == max(offered.values())
            assert best["bookmakers"] == [slug for slug, price in offered.items() if price == max(offered.values())]
            ours = offered.get("betpawa")
            rank = None if ours is None else 1 + sum(price > ours for price in offered.values())
            assert market["reference"]["rank"][place] == rank


@pytest.mark.parametrize(
    "query", ["limit=501", "limit=0", "offset=-1", "sort=best", "availability=x", "in_play=perhaps"]
)
async def test_what_cannot_be_asked_is_refused_by_name(api: Api, query: str) -> None:
    """A parameter that is not what it should be is a problem that names it."""
    async with api.session.get(f"/api/events?{query}") as response:
        problem = await response.json()
        assert (response.status, problem["code"]) == (422, "invalid_request")
        assert query.partition("=")[0] in problem["detail"]


async def test_the_parameters_are_documented(api: Api) -> None:
    """OpenAPI names every parameter of the list, and the shape of its answer."""
    listing = (await api.get("/api/openapi.json"))["paths"]["/api/events"]["get"]
    names = {parameter["name"] for parameter in listing["parameters"]}
    assert {"text", "sport", "country", "tournament", "from", "to", "availability", "in_play", "markets"} <= names
    assert {"sort", "limit", "offset"} <= names
    schema = listing["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/EventPage")


async def test_the_grid_is_exported_as_it_stands(api: Api) -> None:
    """One row for each event, market and outcome, in the order of the list, with each bookmaker's active price."""
    query = "markets=match_result,total_goals:line%3D2.5&sort=-kickoff"
    async with api.session.get(f"/api/events.csv?{query}&limit=1") as response:
        assert (response.content_type, response.charset) == ("text/csv", "utf-8")
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    expected = [
        (str(event["sr_id"]), market["key"], outcome, *(active(market["bookmakers"][slug], place) for slug in SLUGS))
        for event in (await api.get(f"/api/events?limit=500&{query}"))["events"]
        for market in event["markets"]
        for place, outcome in enumerate(market["outcomes"])
    ]
    assert expected
    assert [(row["sr_id"], row["market"], row["outcome"], *(row[slug] for slug in SLUGS)) for row in rows] == expected


async def test_an_event_that_is_not_compared_says_why_in_the_export(api: Api) -> None:
    """Its prices stay in their columns, each with the reason beside it; comparable prices have none."""
    book = api.service.context.book
    disputed, *_ = book.events()
    book.put_event(msgspec.structs.replace(disputed, conflict="other teams"))
    async with api.session.get("/api/events.csv?markets=match_result") as response:
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    reasons: dict[str, set[str]] = {"conflict": set(), "": set()}
    for row in rows:
        for slug in SLUGS:
            if row[slug]:
                reasons[row[f"{slug}_reason"]].add(row["sr_id"])
    assert reasons["conflict"] == {str(disputed.sr_id)}
    assert reasons[""] == {str(event.sr_id) for event in book.events()} - {str(disputed.sr_id)}


def active(cell: dict[str, Any], place: int) -> str:
    """Return an outcome's price where it is active."""
    outcome = cell["outcomes"][place] if cell["outcomes"] else {"state": None}
    return str(outcome["price"]) if outcome["state"] == "active" else ""
