"""Fragments: what they hold, and when they are built anew."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from overround.api.events.fragments import ALL_MARKETS, Fragments, market_set
from overround.api.events.schemas import MarketView
from overround.caching.change_detection import classify_batch_changes, update_cache
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.catalogue import load_catalogue
from overround.gzip_pieces import Piece, joined
from overround.records.event import Event
from overround.records.odds import MarketKey, MarketPrices, Snapshot
from overround.streaming.market_json import MarketJson, MarketWriter
from overround.testing import ManualClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RESULT, TOTAL = MarketKey("match_result"), MarketKey("total_goals", "line=2.5")
EVENT = Event(
    sr_id=1, sport="football", home='Re"ds', away="Blues", kickoff=NOON, country="England", tournament="League"
)
COVERED = {"us": frozenset({"match_result", "total_goals"}), "them": frozenset({"match_result"})}


class Desk:
    """A cache that is fed as by scraping, and the fragments made of it."""

    def __init__(self, max_bytes: int = 10_000_000) -> None:
        self.cache = OddsCache()
        self.writer = MarketWriter(load_catalogue(), ("us", "them"), COVERED, "us")
        self.fragments = Fragments(self.writer, max_bytes)

    def scrape(
        self, slug: str, minute: int, markets: dict[MarketKey, tuple[int, ...]], *, complete: bool = True
    ) -> None:
        """Put a snapshot into the cache as a scrape does, accepted at once."""
        at = NOON + timedelta(minutes=minute)
        found = {key: MarketPrices(prices) for key, prices in markets.items()}
        snapshot = Snapshot(
            sr_id=1, bookmaker=slug, received_at=at, markets=found, complete=complete, covered=COVERED[slug]
        )
        update_cache(self.cache, classify_batch_changes(self.cache, [snapshot]))
        self.cache.accept(1, slug, snapshot.snapshot_id)

    def body(self, *keys: MarketKey, event: Event = EVENT) -> bytes:
        """Return the fragment's bytes, of all markets without keys."""
        return self.fragments.get(event, self.cache.event(1), market_set(keys) if keys else ALL_MARKETS).body

    def markets(self, *keys: MarketKey, event: Event = EVENT) -> list[dict[str, Any]]:
        """Return the fragment's markets, held against the documented shape."""
        found: list[dict[str, Any]] = json.loads(self.body(*keys, event=event) + b"}")["markets"]
        for market in found:
            assert MarketView.model_validate(market).model_dump(mode="json", exclude_unset=True).keys() == market.keys()
        return found


def test_a_market_has_a_cell_for_everybody_and_says_why_one_is_empty() -> None:
    """Prices, states, margins and the comparison stand in catalogue order; empty cells give their reason."""
    desk = Desk()
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000), TOTAL: (1900, -1900)})
    result, total = desk.markets(RESULT, TOTAL)
    assert result["bookmakers"]["us"] == {
        "state": "active",
        "margin": 0.0,
        "changed_at": "2026-01-01T12:00:00Z",
        "confirmed_at": None,
        "outcomes": [
            {"outcome": "home", "price": "2.00", "previous": None, "state": "active"},
            {"outcome": "draw", "price": "4.00", "previous": None, "state": "active"},
            {"outcome": "away", "price": "4.00", "previous": None, "state": "active"},
        ],
    }
    assert result["best"][0] == {"price": "2.00", "bookmakers": ["us"]}
    assert result["reference"] == {"rank": [1, 1, 1], "gap": [0.0, 0.0, 0.0], "points": [None, None, None]}
    assert (total["key"], total["specifiers"]) == ("total_goals:line=2.5", {"line": "2.5"})
    assert total["best"] == [{"price": "1.90", "bookmakers": ["us"]}, {"price": None, "bookmakers": []}]
    assert total["bookmakers"]["us"]["outcomes"][1]["state"] == "suspended"
    assert result["bookmakers"]["them"]["state"] == "not_seen"
    desk.scrape("them", 1, {MarketKey("double_chance"): (1200, 1300, 1400)})
    desk.scrape("us", 1, {RESULT: (2000, 4000, 4000)})
    result, total = desk.markets(RESULT, TOTAL)
    assert (result["bookmakers"]["them"]["state"], total["bookmakers"]["them"]["state"]) == (
        "not_offered",
        "not_mapped",
    )
    assert (total["bookmakers"]["us"]["state"], total["bookmakers"]["us"]["outcomes"]) == ("removed", [])


def test_a_change_shows_the_price_before_and_since_when() -> None:
    """After a change the cell has the earlier price and the time of the change."""
    desk = Desk()
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000)})
    desk.scrape("us", 1, {RESULT: (2100, 4000, 3900)})
    (result,) = desk.markets(RESULT)
    cell = result["bookmakers"]["us"]
    assert [one["previous"] for one in cell["outcomes"]] == ["2.00", "4.00", "4.00"]
    assert cell["changed_at"] == "2026-01-01T12:01:00Z"


def test_a_confirmation_leaves_the_fragment_as_it_is() -> None:
    """Seen unchanged, an event's fragment is the very same object; changed, it is another."""
    desk = Desk()
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000)})
    before = desk.body(RESULT)
    desk.scrape("us", 1, {RESULT: (2000, 4000, 4000)})
    assert desk.body(RESULT) is before
    desk.scrape("us", 2, {RESULT: (2000, 4000, 4100)})
    assert desk.body(RESULT) != before


def test_every_way_a_cell_can_change_builds_it_anew() -> None:
    """A fragment always equals one made from scratch: incomplete bodies, silent markets, facts, other bookmakers."""
    desk = Desk()
    extra = MarketKey("double_chance")
    steps: list[tuple[str, dict[MarketKey, tuple[int, ...]], bool]] = [
        ("us", {RESULT: (2000, 4000, 4000), extra: (1300, 1400, 1500)}, True),
        ("us", {RESULT: (2000, 4000, 4000)}, True),
        ("us", {RESULT: (2000, 4000, 4200)}, False),
        ("us", {RESULT: (2000, 4000, 4200)}, False),
        ("them", {RESULT: (2100, 3900, 3900)}, True),
        ("us", {RESULT: (2000, 4000, 4200)}, True),
        ("us", {RESULT: (2000, 4000, 4200), extra: (1300, 1400, 1500)}, True),
        ("us", {RESULT: (2000, 4000, 4200)}, False),
        ("us", {}, True),
    ]
    for minute, (slug, markets, complete) in enumerate(steps):
        desk.scrape(slug, minute, markets, complete=complete)
        fresh = Desk()
        fresh.cache = desk.cache
        assert desk.body(RESULT, extra) == fresh.body(RESULT, extra)
        assert desk.body() == fresh.body()
    renamed = msgspec.structs.replace(EVENT, away="Greens")
    assert b"Greens" in desk.body(RESULT, event=renamed)


def test_a_silent_market_keeps_its_own_confirmation() -> None:
    """A market of which a complete body gives no word says when it was last seen."""
    desk = Desk()
    silent = MarketKey("double_chance")
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000), silent: (1300, 1400, 1500)})
    desk.scrape("us", 5, {RESULT: (2000, 4000, 4000)})
    (market,) = desk.markets(silent)
    assert market["bookmakers"]["us"]["confirmed_at"] == "2026-01-01T12:00:00Z"


def test_an_event_in_conflict_is_shown_and_not_compared() -> None:
    """Prices of what may be two matches stand there without a best one and without a rank."""
    desk = Desk()
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000)})
    (market,) = desk.markets(RESULT, event=msgspec.structs.replace(EVENT, conflict="teams differ"))
    assert market["bookmakers"]["us"]["state"] == "active"
    assert market["best"] == [{"price": None, "bookmakers": []}] * 3
    assert market["reference"]["rank"] == [None] * 3


def test_all_markets_stand_in_the_order_of_the_catalogue_and_their_lines() -> None:
    """Lines follow their value, not their text."""
    desk = Desk()
    lines = ("line=10.5", "line=2.5", "line=0.5")
    desk.scrape("us", 0, {MarketKey("total_goals", line): (1900, 1900) for line in lines} | {RESULT: (2, 2, 2)})
    assert [market["key"] for market in desk.markets()] == [
        "match_result",
        *(f"total_goals:{line}" for line in reversed(lines)),
    ]


def test_markets_that_nobody_knows_are_left_out() -> None:
    """A key that the catalogue does not have gives no market."""
    assert Desk().markets(MarketKey("no_such_market"), RESULT)[0]["key"] == "match_result"


@pytest.mark.parametrize("bound", [1, 9_000])
def test_memory_is_bounded(bound: int) -> None:
    """Beyond the bound the least recently used go, and come back when they are asked for."""
    desk = Desk(bound)
    desk.scrape("us", 0, {RESULT: (2000, 4000, 4000)})
    for sr_id in range(1, 30):
        event = msgspec.structs.replace(EVENT, sr_id=sr_id)
        assert desk.fragments.get(event, desk.cache.event(1), market_set([RESULT])).event is event
    assert desk.fragments.bytes <= max(bound, 6_000)


def lines(number: int) -> list[MarketKey]:
    """Return so many lines of one market."""
    return [MarketKey("total_goals", f"line={line}.5") for line in range(number)]


def test_a_large_event_is_kept_compressed_and_reads_the_same() -> None:
    """Its bytes and its part of a gzip body are those of one that is not, in a tenth of the memory."""
    desk = Desk()
    desk.scrape("us", 0, dict.fromkeys(lines(200), (1900, 1900)))
    fragment = desk.fragments.get(msgspec.structs.replace(EVENT, home="Malm\u00f6"), desk.cache.event(1), ALL_MARKETS)
    assert isinstance(fragment.kept, Piece)
    assert fragment.size < len(fragment.body) / 3
    assert gzip.decompress(joined([fragment.piece])) == fragment.body
    assert json.loads(fragment.body + b"}")["home"] == "Malm\u00f6"
    assert len(json.loads(fragment.body + b"}")["markets"]) == 200


def test_of_a_large_event_only_what_changed_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other markets are those that were kept, with their figures; a market that comes finds its place."""
    desk = Desk()
    keys = lines(200)
    desk.scrape("us", 0, dict.fromkeys(keys[1:], (1900, 1900)))
    desk.body()
    written: list[MarketKey] = []
    write = desk.writer.market

    def noted(key: MarketKey, snapshots: Mapping[str, CachedSnapshot], *, compared: bool) -> MarketJson:
        written.append(key)
        return write(key, snapshots, compared=compared)

    monkeypatch.setattr(desk.writer, "market", noted)
    desk.scrape("us", 1, {key: (1950, 1850) if key == keys[7] else (1900, 1900) for key in keys})
    found = desk.fragments.get(EVENT, desk.cache.event(1), ALL_MARKETS)
    assert set(written) == {keys[0], keys[7]}
    anew = Fragments(MarketWriter(load_catalogue(), ("us", "them"), COVERED, "us")).get(
        EVENT, desk.cache.event(1), ALL_MARKETS
    )
    assert (found.body, found.digest, found.margin, found.gap) == (anew.body, anew.digest, anew.margin, anew.gap)


async def test_a_large_event_is_written_in_turns_with_others() -> None:
    """Others run before it is complete; what changes meanwhile is in the answer, and the rest is not written again."""
    desk = Desk()
    keys = lines(200)
    desk.scrape("us", 0, dict.fromkeys(keys, (1900, 1900)))
    clock = ManualClock(NOON)
    preparing = asyncio.create_task(
        desk.fragments.prepare(EVENT, desk.cache.event(1), ALL_MARKETS, lambda: clock.sleep(0))
    )
    turns = 0
    while not preparing.done():
        turns += 1
        await clock.sleep(0)
        if turns == 2:
            desk.scrape("us", 1, {key: (1950, 1850) if key == keys[0] else (1900, 1900) for key in keys})
    assert turns > 4
    markets = desk.markets()
    assert len(markets) == 200
    assert markets[0]["bookmakers"]["us"]["outcomes"][0]["price"] == "1.95"
    assert markets[0]["bookmakers"]["us"]["outcomes"][0]["previous"] == "1.90"
    anew = Fragments(desk.writer, 10_000_000)
    assert desk.body() == anew.get(EVENT, desk.cache.event(1), ALL_MARKETS).body


async def test_a_kept_event_that_changed_much_is_written_in_turns_too() -> None:
    """A bookmaker that comes makes all markets new; few changes are left to whoever reads the event."""
    desk = Desk()
    desk.scrape("us", 0, dict.fromkeys(lines(200), (1900, 1900)))
    desk.body()
    clock = ManualClock(NOON)

    async def turns() -> int:
        preparing = asyncio.create_task(
            desk.fragments.prepare(EVENT, desk.cache.event(1), ALL_MARKETS, lambda: clock.sleep(0))
        )
        taken = 0
        while not preparing.done():
            taken += 1
            await clock.sleep(0)
        return taken

    desk.scrape("us", 1, dict.fromkeys(lines(199), (1900, 1900)))
    assert await turns() < 3
    desk.scrape("them", 2, {RESULT: (2000, 4000, 4000)})
    assert await turns() > 4
    anew = Fragments(desk.writer, 10_000_000)
    assert desk.body() == anew.get(EVENT, desk.cache.event(1), ALL_MARKETS).body
