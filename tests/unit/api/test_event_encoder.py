"""Encoding ahead: which events, in whose time, and within what memory."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from overround.api.events.desk import EventDesk
from overround.api.events.encoder import EventEncoder, SpareTime
from overround.api.events.fragments import ALL_MARKETS, market_set
from overround.api.events.routes import event_answer
from overround.caching.odds_cache import CachedSnapshot
from overround.records.event import Event
from overround.records.odds import MarketKey
from overround.streaming.market_json import MarketJson
from overround.testing import ManualClock
from tests.support.desk import KICKOFF
from tests.support.stream_bench import StreamBench, api_desk

RESULT = MarketKey("match_result")
LINES = [MarketKey("total_goals", f"line={line}.5") for line in range(200)]


def bench_of(events: int) -> StreamBench:
    """Return a cache with so many events, the last the next to kick off, each with two hundred lines."""
    bench = StreamBench()
    for sr_id in range(1, events + 1):
        bench.event(sr_id, kickoff=KICKOFF - timedelta(minutes=sr_id))
        bench.scrape((sr_id, "us", dict.fromkeys(LINES, (1900, 1900))))
    return bench


def encoder_of(bench: StreamBench, desk: EventDesk) -> EventEncoder:
    """Return an encoder on an event loop that has nothing else to do."""
    return EventEncoder(lambda: desk, bench.clock, SpareTime(bench.clock, lambda: 0.0))


class Written:
    """Notes of which events markets are written."""

    def __init__(self, desk: EventDesk, monkeypatch: pytest.MonkeyPatch, broken: int = 0) -> None:
        self.events: list[int] = []
        self._cache = desk.state.cache
        self._broken = broken
        self._write = desk.fragments._writer.market
        monkeypatch.setattr(desk.fragments._writer, "market", self._market)

    def _market(self, key: MarketKey, snapshots: Mapping[str, CachedSnapshot], *, compared: bool) -> MarketJson:
        (sr_id,) = (one for one, _, cached in self._cache if cached is snapshots["us"])
        self.events.append(sr_id)
        if sr_id == self._broken:
            raise ZeroDivisionError
        return self._write(key, snapshots, compared=compared)


def known(desk: EventDesk, sr_id: int) -> Event:
    """Return an event that there is."""
    event = desk.state.book.event(sr_id)
    assert event is not None
    return event


async def test_whoever_asks_finds_an_event_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a round no market of any event is left to be written; the next to kick off came first."""
    bench = bench_of(3)
    desk = api_desk(bench)
    written = Written(desk, monkeypatch)
    encoder = encoder_of(bench, desk)
    await encoder.round()
    assert (encoder.rounds, encoder.encoded, desk.fragments.events(ALL_MARKETS)) == (1, 3, 3)
    assert list(dict.fromkeys(written.events)) == [3, 2, 1]
    written.events.clear()
    for sr_id in (1, 2, 3):
        await event_answer(desk, known(desk, sr_id), ALL_MARKETS)
    await encoder.round()
    assert (written.events, encoder.rounds, encoder.encoded) == ([], 2, 0)


async def test_what_changed_is_encoded_with_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the market that moved, and not what was confirmed; an event without prices waits until it has some."""
    bench = bench_of(3)
    desk = api_desk(bench)
    encoder = encoder_of(bench, desk)
    await encoder.round()
    written = Written(desk, monkeypatch)
    bench.event(4)
    bench.scrape((1, "us", dict.fromkeys(LINES, (1900, 1900))))
    bench.scrape((2, "us", dict.fromkeys(LINES, (1900, 1900)) | {LINES[7]: (1950, 1850)}))
    await encoder.round()
    assert (written.events, encoder.encoded) == ([2], 1)
    bench.scrape((4, "us", {RESULT: (2000, 4000, 4000)}))
    await encoder.round()
    assert (written.events, encoder.encoded) == ([2, 4], 1)


async def test_it_waits_for_spare_time_between_a_few_markets() -> None:
    """While the event loop's thread works nothing is encoded; then a few markets at a time, a rest before each."""
    bench, worked = bench_of(1), [0.0, 0.005, 0.005, 0.01]
    desk, clock = api_desk(bench), ManualClock()
    encoder = EventEncoder(lambda: desk, bench.clock, SpareTime(clock, lambda: worked.pop(0) if worked else 0.01))
    await encoder.round()
    assert worked == []
    assert len(clock.slept) == 2 + 1 + len(LINES) // 40


async def test_it_stops_where_memory_is_full() -> None:
    """Nothing that was asked for is dropped for what was not; nearly full, only what is kept is brought up to date."""
    bench = bench_of(20)
    size = api_desk(bench).fragment(known(api_desk(bench), 1), ALL_MARKETS).size
    desk = api_desk(bench, 10 * size)
    encoder = encoder_of(bench, desk)
    asked = desk.fragment(known(desk, 1), market_set([RESULT]))
    await encoder.round()
    assert 8 <= encoder.encoded == desk.fragments.events(ALL_MARKETS) <= 10
    assert desk.fragment(known(desk, 1), market_set([RESULT])) is asked
    await encoder.round()
    assert encoder.encoded == 0
    bench.scrape((20, "us", dict.fromkeys(LINES, (1950, 1850))), (1, "us", dict.fromkeys(LINES, (1950, 1850))))
    await encoder.round()
    assert encoder.encoded == 1


async def test_what_is_over_takes_no_memory() -> None:
    """Events that have left the cache are forgotten with the next round."""
    bench = bench_of(3)
    desk = api_desk(bench)
    encoder = encoder_of(bench, desk)
    await encoder.round()
    assert desk.fragments.bytes > 0
    bench.clock.advance(timedelta(hours=10).total_seconds())
    bench.evict()
    await encoder.round()
    assert (desk.fragments.bytes, desk.fragments.events(ALL_MARKETS)) == (0, 0)


async def test_one_bad_event_does_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be encoded is named in the log; the rest is."""
    bench = bench_of(3)
    desk = api_desk(bench)
    Written(desk, monkeypatch, broken=2)
    encoder = encoder_of(bench, desk)
    with capture_logs() as logs:
        await encoder.round()
    assert [(one["event"], one["sr_id"]) for one in logs] == [("event_encoding_failed", 2)]
    assert desk.fragments.events(ALL_MARKETS) == 2


async def test_it_runs_as_long_as_the_service() -> None:
    """Rounds follow each other until the block ends, and the loop is left alone between them."""
    bench = bench_of(1)
    desk = api_desk(bench)
    encoder = encoder_of(bench, desk)
    async with encoder.running():
        while encoder.rounds < 3:
            await bench.clock.sleep(1)
    assert bench.clock.slept.count(5.0) >= 2
    after = encoder.rounds
    await asyncio.sleep(0)
    assert encoder.rounds == after
