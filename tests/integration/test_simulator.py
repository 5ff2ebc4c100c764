"""Recordings from a directory, and the server that replays them."""

import asyncio
import json
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientConnectorError, ClientSession

from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.errors import OverroundError, SettingsError
from overround.records.odds import State
from overround.simulator.server.captures import Captures, default_recordings_dir, load_recordings
from overround.simulator.server.child import running_simulator

SHIPPED = default_recordings_dir()


@pytest.fixture(scope="module")
def shipped() -> Captures:
    """Return the recordings that ship with the package."""
    return load_recordings(SHIPPED, load_bookmakers())


def test_all_shipped_recordings_are_served(shipped: Captures) -> None:
    """Each shipped file is a recording: events of three, of two and of one bookmaker, and a first kick-off."""
    assert shipped.left_out == ()
    events: dict[int | None, set[str]] = {}
    for slug, recordings in shipped.recordings.items():
        for recording in recordings:
            events.setdefault(recording.listing.sr_id, set()).add(slug)
    assert None not in events
    assert sorted(len(bookmakers) for bookmakers in events.values()) == [1, 2, 3, 3, 3, 3, 3, 3]
    assert shipped.earliest_kickoff == datetime(2026, 10, 3, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sport", "totals", "others"),
    [
        ("football", "total_goals", {"match_result", "both_teams_to_score", "correct_score"}),
        (
            "basketball",
            "total_points_with_overtime",
            {"winner_with_overtime", "points_handicap_with_overtime", "quarter_result"},
        ),
        ("tennis", "total_games", {"match_winner", "total_sets", "correct_set_score", "set_winner"}),
    ],
)
def test_each_bookmaker_has_lines_a_suspended_and_an_unmapped_market(
    shipped: Captures, sport: str, totals: str, others: set[str]
) -> None:
    """The shipped recordings show what a price table must cope with, at every bookmaker in every sport."""
    catalogue = load_catalogue()
    for slug, bookmaker in load_bookmakers().items():
        normaliser = bookmaker.normaliser(catalogue)
        every_offer = [
            normaliser.normalise(entry.body, datetime.min.replace(tzinfo=UTC)) for entry in shipped.recordings[slug]
        ]
        offers = [offer for offer in every_offer if offer.listing.sport == sport]
        assert offers
        for offer in offers:
            keys = [(key.market, key.specifiers) for key in offer.markets]
            assert len([key for key in keys if key[0] == totals]) == 3
            assert others <= {market for market, _ in keys}
            assert len(offer.unmapped) == 1
        assert State.SUSPENDED in {prices.state for offer in offers for prices in offer.markets.values()}


def test_what_cannot_be_replayed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    """Live and broken bodies, lists, second files of an event and files of nobody are named, the rest is served."""
    names = ["betpawa_arsenal_everton.json", "sportybet_arsenal_everton.json", "bet9ja_arsenal_everton.json"]
    for name in names:
        shutil.copy(SHIPPED / name, tmp_path)
    shutil.copy(SHIPPED / names[0], tmp_path / "betpawa_second.json")
    live = json.loads((SHIPPED / "sportybet_leeds_fulham.json").read_text())
    live["data"] |= {"status": 1, "matchStatus": "H1"}
    contents = {
        "sportybet_live.json": json.dumps(live),
        "sportybet_list.json": '{"bizCode":10000,"data":[]}',
        "sportybet_refused.json": '{"bizCode":19000,"message":"Invalid"}',
        "bet9ja_page.json": "<html>blocked</html>",
        "bet9ja_empty.json": "",
        "nobody_event.json": "{}",
        "notes.txt": "not a recording",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    captures = load_recordings(tmp_path, load_bookmakers())
    served = [recording.name for recordings in captures.recordings.values() for recording in recordings]
    assert sorted(served) == sorted(names)
    reasons = {left_out.name: left_out.reason for left_out in captures.left_out}
    assert reasons.keys() == (contents.keys() - {"notes.txt"}) | {"betpawa_second.json"}
    assert reasons["betpawa_second.json"] == "of the same event as betpawa_arsenal_everton.json"
    assert reasons["nobody_event.json"] == "of no installed bookmaker"
    assert "live" in reasons["sportybet_live.json"]
    for name in ("sportybet_list", "sportybet_refused", "bet9ja_page", "bet9ja_empty"):
        assert reasons[f"{name}.json"].startswith("no single-event response: ")


def test_empty_directory_has_no_first_kickoff(tmp_path: Path) -> None:
    """Without recordings every bookmaker has none, and there is no kick-off."""
    captures = load_recordings(tmp_path, load_bookmakers())
    assert dict(captures.recordings) == {"betpawa": (), "sportybet": (), "bet9ja": ()}
    assert captures.earliest_kickoff is None


async def test_child_serves_each_bookmaker_under_its_prefix(shipped: Captures) -> None:
    """The child says what it serves, and serves it compressed where that is accepted, and nothing elsewhere."""
    recorded = shipped.recordings["betpawa"][0]
    async with running_simulator() as simulator, ClientSession() as session:
        assert dict(simulator.recordings) == {slug: len(entries) for slug, entries in shipped.recordings.items()}
        assert simulator.left_out == ()
        assert simulator.earliest_kickoff == shipped.earliest_kickoff
        url = f"{simulator.base_url('betpawa')}/api/sportsbook/v4/events/{recorded.listing.listing_id}"
        for encoding in ("gzip", "identity"):
            async with session.get(url, headers={"accept-encoding": encoding}) as response:
                assert response.headers.get("content-encoding", "identity") == encoding
                assert await response.read() == recorded.body
        for path in ("/", "/nobody/api", "/betpawa", "/betpawa/api/sportsbook/v4/events/1"):
            async with session.get(f"http://127.0.0.1:{simulator.port}{path}") as response:
                assert response.status == 404


async def test_child_ends_with_its_block() -> None:
    """After the block nobody listens any more."""
    async with running_simulator() as simulator:
        url = simulator.base_url("betpawa")
    async with ClientSession() as session:
        with pytest.raises(ClientConnectorError):
            await session.get(url)


PARENT = """
import asyncio
from overround.simulator.server.child import running_simulator

async def main():
    async with running_simulator():
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_child_ends_when_its_parent_is_killed() -> None:
    """A parent that dies without a word takes the simulator with it."""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=PIPE, stderr=PIPE)
    assert parent.stdout is not None
    assert parent.stderr is not None
    assert await parent.stdout.readline() == b"up\n"
    parent.send_signal(signal.SIGKILL)
    # The child has inherited stderr: its end is the end of both processes.
    assert await asyncio.wait_for(parent.stderr.read(), 30) == b""
    await parent.wait()


async def test_missing_directory_is_a_settings_error(tmp_path: Path) -> None:
    """A directory that does not exist is refused by name before anything is started."""
    with pytest.raises(SettingsError, match=r"no directory of recordings: .*nowhere"):
        async with running_simulator(tmp_path / "nowhere"):
            pass


async def test_child_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ends before it listens is an error, not a wait."""
    false = shutil.which("false")
    assert false is not None
    monkeypatch.setattr(sys, "executable", false)
    with pytest.raises(OverroundError, match="the simulator did not start"):
        async with running_simulator():
            pass
