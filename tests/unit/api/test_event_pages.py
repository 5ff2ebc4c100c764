"""Lists of events: what is kept of them, and for how long."""

import json
from datetime import timedelta
from typing import Any

import pytest

from overround.api.events.desk import EventDesk
from overround.api.events.routes import list_answer
from overround.records.odds import MarketKey
from tests.support.desk import KICKOFF
from tests.support.stream_bench import StreamBench, api_desk

RESULT = MarketKey("match_result")
QUERY = b"markets=match_result"


@pytest.fixture
def bench() -> StreamBench:
    """Return a cache with one event that one bookmaker has prices for."""
    bench = StreamBench()
    bench.event(1)
    bench.scrape((1, "us", {RESULT: (2100, 3300, 3600)}))
    return bench


@pytest.fixture
def desk(bench: StreamBench) -> EventDesk:
    """Return the desk of the API on that cache."""
    return api_desk(bench)


async def page(desk: EventDesk, query: bytes = QUERY) -> Any:
    """Return the list that a query string asks for."""
    return json.loads((await list_answer(desk, query)).body)


async def test_a_list_is_put_together_once_a_moment(desk: EventDesk, bench: StreamBench) -> None:
    """While nothing changes, whoever asks within half a second is given the same bytes; then, new ages."""
    first = await list_answer(desk, QUERY)
    bench.clock.advance(0.4)
    assert await list_answer(desk, QUERY) is first
    assert (await list_answer(desk, b"limit=1")) is not first
    bench.clock.advance(0.2)
    assert json.loads(first.body)["now"] == "2026-03-01T12:00:01Z"
    assert (await page(desk))["now"] == "2026-03-01T12:00:01.600000Z"
    assert (await page(desk))["events"][0]["bookmakers"]["us"]["age_seconds"] == 0.6


async def test_a_change_is_shown_at_once(desk: EventDesk, bench: StreamBench) -> None:
    """Within the same moment too: a price that moved, an event that came, one that is gone."""
    assert (await page(desk))["total"] == 1
    before = bench.clock.now()
    bench.scrape((1, "us", {RESULT: (2200, 3300, 3600)}))
    bench.clock.advance((before - bench.clock.now()).total_seconds())
    moved = (await page(desk))["events"][0]["markets"][0]["bookmakers"]["us"]["outcomes"]
    assert [one["price"] for one in moved] == ["2.20", "3.30", "3.60"]
    bench.event(2)
    assert (await page(desk))["total"] == 2
    bench.book.drop_started(KICKOFF + timedelta(days=1), 0.0, timedelta())
    assert (await page(desk))["total"] == 0
