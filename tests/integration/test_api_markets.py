"""The catalogue and its coverage over HTTP, on recordings and a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.service import Api, running_api


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a running service that has not scraped yet."""
    async with running_api(database_url, tmp_path) as api:
        yield api


async def test_markets_are_listed_by_sport_and_page(api: Api) -> None:
    """Every definition is served, with what it means, its outcomes in order and who maps it."""
    everything = await api.get("/api/markets")
    assert everything["total"] == len(everything["markets"]) > 500
    tennis = await api.get("/api/markets?sport=tennis&limit=2&offset=1")
    assert [market["key"] for market in tennis["markets"]] == ["sets_handicap", "total_sets"]
    assert tennis["markets"][1] == {
        "number": 2003,
        "key": "total_sets",
        "name": "Total sets over/under",
        "sport": "tennis",
        "group": "sets",
        "counts": "sets",
        "side": "match",
        "period": "match",
        "settles": "total",
        "overtime": False,
        "parts": [],
        "specifiers": ["line"],
        "outcomes": ["over", "under"],
        "probability_sum": 1,
        "mapped_by": ["betpawa", "sportybet", "bet9ja"],
    }


async def test_coverage_is_of_what_was_scraped(api: Api) -> None:
    """Before the first cycle there is none; after two, every listing counts once."""
    assert await api.get("/api/markets/coverage") == {"coverage": []}
    await api.cycle()
    first = await api.get("/api/markets/coverage?worst=1")
    await api.cycle()
    second = await api.get("/api/markets/coverage?worst=1")
    found = {(one["bookmaker"], one["sport"]): one for one in second["coverage"]}
    assert found.keys() == {(slug, "football") for slug in ("betpawa", "sportybet", "bet9ja")}
    for slug, one in found.items():
        before = next(other for other in first["coverage"] if (other["bookmaker"], other["sport"]) == slug)
        assert one["events"] == before["events"] > 1
        assert one["share"] > 0.85
        assert len(one["worst"]) == 1
