"""An event's history: what the database gives back, and what the API makes of it."""

import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.api.history.routes import HistoryModel
from overround.catalogue import load_catalogue
from overround.db.history import HistoryRepository
from overround.records.batch import MarketWriteData, SnapshotWriteData, WriteBatch
from overround.storage.write_handler import PostgresWriteHandler
from tests.integration.write_data import (
    HANDICAP,
    MINUTE,
    NOON,
    RESULT,
    TOTAL,
    batch,
    confirmation,
    descriptions,
    market,
    snapshot,
    stamped,
)
from tests.support.service import Api, running_api

JOURNAL = uuid.UUID(int=1)
BOTH = ["near", "far"]
RESULT_NUMBER = load_catalogue().number("match_result")


@pytest.fixture
async def repository(handler: PostgresWriteHandler, engine: AsyncEngine) -> HistoryRepository:
    """Return a repository on three snapshots of one event, the middle one confirmed."""
    first = snapshot(NOON, market(RESULT, "", 2100, 3200, 3500), market(TOTAL, "line=2.5", 1900, 1900))
    second = snapshot(NOON + MINUTE, market(TOTAL, "line=3.5", 2500, 1500), market(RESULT, "", -2100, 3200, 3500))
    third = snapshot(NOON + 9 * MINUTE, market(RESULT, ""))
    other = snapshot(NOON + 2 * MINUTE, market(HANDICAP, "handicap=-1", 1800, 2000), bookmaker="far")
    elsewhere = snapshot(NOON, market(RESULT, "", 9000, 9000, 9000), sr_id=8)
    steps = (batch(first), batch(second), batch(other, elsewhere, confirmed=[confirmation(NOON + 5 * MINUTE, second)]))
    await handler.write(JOURNAL, stamped(descriptions(NOON), *steps, batch(third)))
    return HistoryRepository(engine)


async def test_changes_are_of_the_markets_asked_for(repository: HistoryRepository) -> None:
    """Packed rows give the chosen markets' changes alone, oldest first, up to an instant and a number of them."""
    result = [(RESULT, "")]
    found = await repository.changes(7, BOTH, NOON + 9 * MINUTE, result, 10)
    assert [(one.bookmaker, one.at, list(one.prices)) for one in found] == [
        ("near", NOON, [2100, 3200, 3500]),
        ("near", NOON + MINUTE, [-2100, 3200, 3500]),
        ("near", NOON + 9 * MINUTE, []),
    ]
    assert [one.at for one in await repository.changes(7, BOTH, NOON + 8 * MINUTE, result, 1)] == [NOON + MINUTE]
    lines = await repository.changes(7, BOTH, NOON + MINUTE, [(TOTAL, "line=3.5"), (HANDICAP, "handicap=-1")], 10)
    assert [(one.market, list(one.prices)) for one in lines] == [(TOTAL, [2500, 1500])]
    assert await repository.changes(7, ["far"], NOON + MINUTE, result, 10) == []


async def test_the_state_at_an_instant_is_each_markets_last_change(repository: HistoryRepository) -> None:
    """Every market of every bookmaker stands there once, as it was then."""
    found = await repository.state(7, BOTH, NOON + 3 * MINUTE)
    assert {(one.bookmaker, one.market, one.specifiers): list(one.prices) for one in found} == {
        ("near", RESULT, ""): [-2100, 3200, 3500],
        ("near", TOTAL, "line=2.5"): [1900, 1900],
        ("near", TOTAL, "line=3.5"): [2500, 1500],
        ("far", HANDICAP, "handicap=-1"): [1800, 2000],
    }


async def test_confirmations_count_up_to_the_instant(repository: HistoryRepository) -> None:
    """A bookmaker was last seen by its newest snapshot or that one's confirmation, never after the instant."""
    assert await repository.seen(7, BOTH, NOON + 4 * MINUTE) == {"near": NOON + 4 * MINUTE, "far": NOON + 2 * MINUTE}
    assert (await repository.seen(7, ["near"], NOON + 8 * MINUTE)) == {"near": NOON + 5 * MINUTE}
    assert (await repository.kickoff(7), await repository.kickoff(4711)) == (NOON, None)


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a service that has scraped once."""
    async with running_api(database_url, tmp_path) as api:
        await api.cycle()
        yield api


async def history(api: Api, sr_id: int, **params: str) -> dict[str, Any]:
    """Return a history that has the documented shape."""
    found = await api.get(f"/api/events/{sr_id}/history?{urlencode(params)}")
    assert isinstance(found, dict)
    HistoryModel.model_validate(found)
    return found


async def moved(api: Api, prices: dict[int, tuple[int, ...]]) -> tuple[int, dict[int, str]]:
    """Change an event's match result some seconds after its first sight; return its id, and the instants."""
    event = (await api.get("/api/events?text=arsenal"))["events"][0]
    first = datetime.fromisoformat(event["bookmakers"]["betpawa"]["received_at"])
    times = {second: first + timedelta(seconds=second) for second in (0, *prices)}
    assert api.service.write_queue is not None
    for second, row in prices.items():
        data = SnapshotWriteData(
            snapshot_id=uuid.uuid4(),
            sr_id=event["sr_id"],
            bookmaker="betpawa",
            captured_at=times[second],
            body_hash=b"0123456789abcdef",
            markets=(MarketWriteData(RESULT_NUMBER, "", row),),
        )
        await api.service.write_queue.enqueue(WriteBatch(scrape_run_id=1, batch_index=0, snapshots=(data,)))
    await api.service.write_queue.drain()
    return event["sr_id"], {second: at.isoformat().replace("+00:00", "Z") for second, at in times.items()}


async def test_a_history_is_steps_with_gaps(api: Api) -> None:
    """Points stand where price or state changed, a removal is a gap, and the opening is the first active price."""
    sr_id, at = await moved(api, {1: (2500, 3000, 4000), 2: (-2500, 3000, 4000), 3: ()})
    found = await history(api, sr_id, markets="match_result", bookmakers="betpawa", to=at[3])
    home = next(series for series in found["series"] if series["outcome"] == "home")
    assert [(point["at"], point["price"], point["state"]) for point in home["points"][1:]] == [
        (at[1], "2.50", "active"),
        (at[2], "2.50", "suspended"),
        (at[3], None, "removed"),
    ]
    assert home["points"][0]["at"] == home["opening"]["at"] == at[0]
    assert home["opening"]["price"] == home["points"][0]["price"]
    assert (home["closing"], home["until"], found["truncated"]) == (None, at[3], False)
    later = await history(api, sr_id, markets="match_result", bookmakers="betpawa", **{"from": at[2], "to": at[2]})
    assert [len(series["points"]) for series in later["series"]] == [1, 1, 1]


async def test_a_whole_event_as_of_an_instant(api: Api) -> None:
    """As of an instant every market has its one point in force, at every bookmaker."""
    sr_id, at = await moved(api, {1: (2500, 3000, 4000), 2: (2600, 3000, 4000)})
    found = await history(api, sr_id, as_of=at[1])
    assert len({series["key"] for series in found["series"]}) > 5
    assert all(len(series["points"]) == 1 for series in found["series"])
    (home,) = (one for one in found["series"] if (one["bookmaker"], one["key"], one["outcome"]) == HOME)
    assert home["points"] == [{"at": at[1], "price": "2.50", "state": "active"}]
    assert (found["from"], found["to"], home["until"]) == (at[1], at[1], at[1])


HOME = ("betpawa", "match_result", "home")


async def test_the_default_is_the_markets_of_the_list_up_to_now(api: Api) -> None:
    """Without parameters: all bookmakers, the reference first, held until they were last seen."""
    event = (await api.get("/api/events?text=arsenal"))["events"][0]
    found = await history(api, event["sr_id"])
    assert [series["bookmaker"] for series in found["series"]][:3] == ["betpawa", "sportybet", "bet9ja"]
    for series in found["series"]:
        assert series["until"] == event["bookmakers"][series["bookmaker"]]["confirmed_at"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("4711/history", 404, "unknown_event"),
        ("0/history", 422, "invalid_request"),
        ("99999999999999999999/history", 422, "invalid_request"),
        ("1/history?as_of=yesterday", 422, "invalid_request"),
    ],
)
async def test_what_has_no_history_is_a_problem(api: Api, path: str, status: int, code: str) -> None:
    """Unknown events, and what is no event or no instant, are refused by name."""
    async with api.session.get(f"/api/events/{path}") as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_odd_market_keys_find_nothing(api: Api) -> None:
    """Unknown markets and bytes that no database takes are no error: there is no such series."""
    sr_id = (await api.get("/api/events?limit=1"))["events"][0]["sr_id"]
    for markets in ("no_such_market", "total_goals:line=\0", "match_result:'--"):
        assert (await history(api, sr_id, markets=markets))["series"] == []
