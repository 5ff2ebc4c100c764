"""What a client of the live stream is told, and that it ends equal to the cache whatever happens."""

import random
import uuid
from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.stream_mirror import Mirror
from overround.records.odds import MarketKey
from overround.streaming import client as stream_client
from overround.streaming.messages import StreamFilter
from tests.support.desk import KICKOFF
from tests.support.stream_bench import GENERATION, BenchClient, Prices, StreamBench

RESULT = MarketKey("match_result")
TOTAL = MarketKey("total_goals", "line=2.5")


def prices(home: int = 2100, over: int = 1900) -> Prices:
    """Return two markets."""
    return {RESULT: (home, 3300, 3600), TOTAL: (over, 1900)}


@pytest.fixture
def bench() -> StreamBench:
    """Return a bench with two events, the first one with prices at both bookmakers."""
    bench = StreamBench()
    bench.event(1)
    bench.event(2)
    bench.scrape((1, "us", prices()), (1, "them", prices(2150)))
    return bench


def agrees(bench: StreamBench, mirror: Mirror) -> None:
    """Assert that a client knows what the cache has, and was told nothing twice and nothing backwards."""
    assert mirror.faults == []
    assert mirror.complete
    assert mirror.prices() == bench.expected()
    assert {key: mirror.confirmed[key] for key in bench.confirmations()} == bench.confirmations()
    assert mirror.events.keys() == {event.sr_id for event in bench.book.events()}


def test_an_image_has_all_events_and_ends_explicitly(bench: StreamBench) -> None:
    """Events without prices are in it too; its end names a cursor, and a heartbeat follows at once."""
    client = bench.client()
    assert client.read() == ["image", "image", "image_end", "heartbeat"]
    agrees(bench, client.mirror)
    assert client.mirror.cursor == str(bench.hub.log.head)
    assert client.mirror.listings[2] == {"us": "us-2", "them": "them-2"}


def test_a_change_is_told_as_the_new_state_of_its_markets_alone(bench: StreamBench) -> None:
    """A delta carries the markets that moved, with their prices before; what was seen unchanged is confirmed."""
    client = bench.client()
    client.read()
    bench.scrape((1, "us", prices(2200)), (1, "them", prices(2150)))
    assert client.read() == ["delta", "confirmed"]
    delta = client.mirror.last["delta"]
    assert (delta["bookmaker"], list(delta["markets"])) == ("us", ["match_result"])
    assert delta["markets"]["match_result"]["outcomes"][0] == {
        "outcome": "home",
        "price": "2.20",
        "previous": "2.10",
        "state": "active",
    }
    agrees(bench, client.mirror)


def test_many_changes_at_once_tell_nobody_what_it_knows(bench: StreamBench) -> None:
    """A client that follows one of the markets that stayed hears a confirmation alone; one of all, what moved."""
    lines = [MarketKey("total_goals", f"line={number}.5") for number in range(150)]
    bench.scrape((2, "us", {RESULT: (2100, 3300, 3600), **dict.fromkeys(lines, (1900, 1900))}))
    chosen, every = bench.client(wanted=StreamFilter(markets=frozenset({RESULT}))), bench.client()
    chosen.read()
    every.read()
    bench.scrape((2, "us", {RESULT: (2100, 3300, 3600), **dict.fromkeys(lines, (1950, 1850))}))
    assert chosen.read() == ["confirmed"]
    assert every.read() == ["delta"]
    assert chosen.mirror.faults == []
    assert len(every.mirror.last["delta"]["markets"]) == len(lines)
    agrees(bench, every.mirror)


def test_a_removed_market_is_told_as_removed(bench: StreamBench) -> None:
    """A market that a complete body no longer has comes without outcomes."""
    client = bench.client()
    client.read()
    bench.scrape((1, "us", {RESULT: (2100, 3300, 3600)}))
    assert client.read() == ["delta"]
    cell = client.mirror.last["delta"]["markets"]["total_goals:line=2.5"]
    assert (cell["state"], cell["outcomes"]) == ("removed", [])
    agrees(bench, client.mirror)


def test_markets_that_a_body_does_not_speak_of_keep_their_own_time(bench: StreamBench) -> None:
    """After an incomplete body, and the complete one that follows, the times of cells are those of the cache."""
    client = bench.client()
    client.read()
    bench.scrape((1, "us", prices(2300)), complete=False)
    assert client.read() == ["delta"]
    agrees(bench, client.mirror)
    bench.scrape((1, "us", prices(2300)))
    assert client.read() == ["delta"]
    agrees(bench, client.mirror)


def test_events_come_change_and_go(bench: StreamBench) -> None:
    """A new event is told before its prices, a changed one again, and one that was evicted is gone."""
    client = bench.client()
    client.read()
    bench.event(3)
    bench.scrape((3, "us", prices()))
    assert client.read() == ["event", "delta"]
    bench.event(3, kickoff=KICKOFF - timedelta(hours=1))
    assert client.read() == ["event"]
    assert client.mirror.events[3]["kickoff"] == "2026-03-01T17:00:00Z"
    bench.event(3, kickoff=KICKOFF - timedelta(hours=1))
    assert client.read() == []
    bench.clock.advance(7.5 * 3600)
    bench.evict()
    assert client.read() == ["gone"]
    agrees(bench, client.mirror)


def test_heartbeats_advance_the_cursor_and_say_when_prices_last_arrived(bench: StreamBench) -> None:
    """A client whose filter lets nothing through still gets a place to go on from."""
    client = bench.client(wanted=StreamFilter(events=frozenset({2})))
    client.read()
    before = client.mirror.cursor
    bench.scrape((1, "us", prices(2200)))
    assert client.read() == []
    bench.beat += 1
    assert client.read() == ["heartbeat"]
    assert client.mirror.cursor == str(bench.hub.log.head) != before
    assert client.mirror.last["heartbeat"]["bookmakers"] == {
        "us": "2026-03-01T12:00:02Z",
        "them": "2026-03-01T12:00:01Z",
    }


def test_who_comes_between_two_heartbeats_hears_the_time_as_it_is(bench: StreamBench) -> None:
    """The time in a message is that of its sending: the page reckons the age of prices by it."""
    bench.client().read()
    bench.clock.advance(9)
    late = bench.client()
    late.read()
    assert late.mirror.last["image_end"]["now"] == "2026-03-01T12:00:10Z"
    assert late.mirror.last["heartbeat"]["now"] == "2026-03-01T12:00:10Z"


def test_a_client_comes_back_to_what_it_missed(bench: StreamBench) -> None:
    """With a cursor that is still held, changes follow at once and there is no image."""
    client = bench.client()
    client.read()
    cursor = client.leave()
    bench.scrape((1, "us", prices(2200)))
    bench.scrape((2, "us", prices(1500)))
    back = bench.client(cursor, mirror=client.mirror)
    assert back.read() == ["heartbeat", "delta", "delta"] or back.mirror.counts["delta"] == 2
    assert back.mirror.counts["image"] == 2
    agrees(bench, back.mirror)


def test_a_place_within_a_batch_is_a_place_to_go_on_from(bench: StreamBench) -> None:
    """A client that has got a part of a batch gets the other part, and nothing twice."""
    client = bench.client()
    client.read()
    bench.scrape((1, "us", prices(2200)), (1, "them", prices(2250)), (2, "us", prices()))
    text = b"".join(client.sent())
    client.mirror.feed(text[: text.index(b"\n\n") + 2])
    assert client.mirror.counts["delta"] == 1
    back = bench.client(client.leave(), mirror=client.mirror)
    back.read()
    assert back.mirror.counts["delta"] == 3
    agrees(bench, back.mirror)


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("nonsense", "unknown_cursor"),
        ("7.101.1", "unknown_cursor"),
        (f"{GENERATION.hex}.999.1", "unknown_cursor"),
        (f"{uuid.UUID(int=6).hex}.101.1", "restarted"),
        (f"{GENERATION.hex}.101.1", "too_old"),
    ],
)
def test_a_cursor_that_cannot_be_replayed_is_refused_with_a_reason(
    bench: StreamBench, cursor: str, reason: str
) -> None:
    """What nobody knows, what was before the start and what is no longer held lead to a new image."""
    client = bench.client(cursor)
    assert client.read() == ["reset", "image", "image", "image_end", "heartbeat"]
    assert client.mirror.last["reset"] == {"reason": reason}
    assert bench.figures.resets[reason] == 1
    agrees(bench, client.mirror)


def test_what_falls_out_of_the_log_resets_a_client_that_stood_still() -> None:
    """A client that did not read for so long that pieces are lost is told so, and gets a new image."""
    bench = StreamBench(max_bytes=5_000)
    bench.event(1)
    client = bench.client()
    client.read()
    for step in range(20):
        bench.scrape((1, "us", prices(2000 + step)))
    names = client.read()
    assert names[0] == "reset"
    assert client.mirror.last["reset"] == {"reason": "too_old"}
    agrees(bench, client.mirror)


def test_filling_the_cache_from_elsewhere_resets_clients(bench: StreamBench) -> None:
    """What the database or the journal brings in one go is told as a new image."""
    client = bench.client()
    client.read()
    bench.hub.seed(bench.cache)
    before = client.mirror.cursor
    assert client.read() == ["reset", "image", "image", "image_end"]
    assert client.mirror.last["reset"] == {"reason": "restarted"}
    late = bench.client(before)
    assert late.read()[0] == "reset"
    assert late.mirror.last["reset"] == {"reason": "restarted"}


def test_filters_leave_out_everything_else(bench: StreamBench) -> None:
    """Events, tournaments and markets that were not asked for are in neither image nor deltas."""
    bench.event(3, tournament="Second League")
    by_event = bench.client(wanted=StreamFilter(events=frozenset({1})))
    by_tournament = bench.client(wanted=StreamFilter(tournaments=frozenset({"Second League"})))
    by_market = bench.client(wanted=StreamFilter(markets=frozenset({RESULT})))
    clients = (by_event, by_tournament, by_market)
    for client in clients:
        client.read()
    bench.scrape((1, "us", prices(2200, 1800)), (3, "us", prices()), (2, "them", prices()))
    for client in clients:
        client.read()
        assert client.mirror.faults == []
    bench.scrape((1, "us", prices(2200, 1850)), (3, "us", prices()), (2, "them", prices()))
    assert "delta" not in by_market.read(), "another market has moved"
    by_event.read()
    by_tournament.read()
    assert {key: by_market.mirror.confirmed[key] for key in bench.confirmations()} == bench.confirmations()
    everything = bench.expected()
    assert by_event.mirror.prices() == {key: one for key, one in everything.items() if key[0] == 1}
    assert by_tournament.mirror.prices() == {key: one for key, one in everything.items() if key[0] == 3}
    assert by_market.mirror.prices() == {key: {"match_result": one["match_result"]} for key, one in everything.items()}


def test_chosen_markets_say_why_they_are_empty(bench: StreamBench) -> None:
    """With markets chosen, each has a cell at every bookmaker, as the list of events has; also at first sight."""
    other = MarketKey("double_chance")
    client = bench.client(wanted=StreamFilter(markets=frozenset({TOTAL, other})))
    client.read()
    assert client.mirror.books[1, "us"]["double_chance"]["state"] == "not_mapped"
    assert client.mirror.books[2, "us"]["double_chance"]["state"] == "not_seen"
    bench.scrape((2, "us", {RESULT: (2000, 3000, 4000)}))
    client.read()
    assert {name: cell["state"] for name, cell in client.mirror.books[2, "us"].items()} == {
        "double_chance": "not_mapped",
        "total_goals:line=2.5": "not_offered",
    }


def test_an_event_that_moves_between_tournaments_moves_between_filters(bench: StreamBench) -> None:
    """Whoever asked for the old tournament loses the event; whoever asked for the new one gets it with its prices."""
    old = bench.client(wanted=StreamFilter(tournaments=frozenset({"First League"})))
    new = bench.client(wanted=StreamFilter(tournaments=frozenset({"Cup"})))
    old.read()
    new.read()
    bench.event(1, tournament="Cup")
    assert old.read() == ["gone"]
    assert new.read() == ["event", "delta", "delta"]
    assert new.mirror.prices() == bench.expected()
    assert old.mirror.prices() == {}


def test_a_country_tells_tournaments_of_one_name_apart(bench: StreamBench) -> None:
    """Events of another country do not come, and one that moves to it leaves."""
    bench.event(3, country="Ghana")
    ghana = bench.client(wanted=StreamFilter(countries=frozenset({"Ghana"}), tournaments=frozenset({"First League"})))
    ghana.read()
    bench.scrape((1, "us", prices(2200, 1800)), (3, "us", prices()))
    ghana.read()
    assert {key[0] for key in ghana.mirror.prices()} == {3}
    bench.event(3, country="Utopia")
    assert ghana.read() == ["gone"]
    assert ghana.mirror.prices() == {}


def test_a_slow_client_is_given_the_newest_states_and_told_so(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind by more than its buffer, it gets one delta for each event and bookmaker in place of all changes."""
    monkeypatch.setattr(stream_client, "BUFFER", 5_000)
    client = bench.client()
    client.read()
    begin = client.mirror.cursor
    for step in range(100):
        bench.scrape((1, "us", prices(2200 + step)), (2, "them", prices(2200 - step)))
    names = client.read()
    assert names == ["conflated", "delta", "delta", "heartbeat"]
    assert bench.figures.conflations == 1
    conflated = client.mirror.last["conflated"]
    assert (conflated["from"], conflated["to"], conflated["states"]) == (begin, str(bench.hub.log.head), 2)
    agrees(bench, client.mirror)


def test_what_happens_during_an_image_is_in_it_once(bench: StreamBench) -> None:
    """Changes to events that the image has shown follow before its end; the others are in the image already."""
    for sr_id in range(3, 60):
        bench.event(sr_id)
        bench.scrape((sr_id, "us", {**prices(), **lines(40)}))
    client = bench.client()
    client.read(2)
    assert not client.mirror.complete
    bench.scrape((1, "us", prices(2222)), (59, "us", {**prices(2333), **lines(40)}))
    bench.event(60)
    names = client.read()
    assert names[-3:] == ["delta", "image_end", "heartbeat"]
    assert (names.count("delta"), names.count("event")) == (1, 0)
    assert client.mirror.events.keys() >= {60}
    agrees(bench, client.mirror)


def test_a_late_batch_does_not_take_a_state_back(bench: StreamBench) -> None:
    """A batch whose listeners were held up goes behind the newest, and older states in it are left out."""
    client = bench.client()
    client.read()
    bench.scrape((1, "us", prices(2200)))
    late = bench.seq - 1
    head = bench.hub.log.head
    bench.hub.log.append((GENERATION, late), ())
    bench.hub.log.append((GENERATION, late), [bench.hub.facts(1)])  # type: ignore[list-item]  # the event is known
    assert bench.hub.log.head > head
    client.read()
    agrees(bench, client.mirror)


def test_nothing_is_kept_where_nobody_listens(bench: StreamBench) -> None:
    """Without a client nothing is logged; two minutes after the last one has left, that begins again."""
    assert bench.hub.log.total == 0
    client = bench.client()
    client.read()
    cursor = client.leave()
    bench.scrape((1, "us", prices(2200)))
    assert bench.hub.log.total > 0
    bench.clock.advance(121)
    bench.scrape((1, "us", prices(2300)))
    back = bench.client(cursor, mirror=client.mirror)
    assert back.read()[0] == "reset"
    assert back.mirror.last["reset"] == {"reason": "too_old"}
    agrees(bench, back.mirror)


def lines(count: int) -> Prices:
    """Return many totals."""
    return {MarketKey("total_goals", f"line={number}.5"): (1900, 1900) for number in range(3, 3 + count)}


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 2**32))
def test_whatever_happens_clients_end_equal_to_the_cache(seed: int) -> None:
    """Clients that read a little, cut messages, come back and fall behind lose nothing and get nothing twice."""
    chance = random.Random(seed)  # noqa: S311 - a scenario
    bench = StreamBench(max_bytes=60_000)
    for sr_id in range(1, 5):
        bench.event(sr_id)
    clients = [bench.client() for _ in range(3)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stream_client, "BUFFER", 3_000)
        for _ in range(60):
            _happen(bench, chance)
            clients = [_live(bench, client, chance) for client in clients]
    for client in clients:
        client.read()
        agrees(bench, client.mirror)


def _happen(bench: StreamBench, chance: random.Random) -> None:
    if chance.random() < 0.1:
        bench.event(chance.randint(1, 8), tournament=chance.choice(("First League", "Cup")))
        return
    known = [event.sr_id for event in bench.book.events()]
    found = [
        (sr_id, slug, {RESULT: (chance.randint(1500, 1505), 3300, 3600), **lines(chance.randint(0, 3))})
        for sr_id in known
        for slug in ("us", "them")
        if chance.random() < 0.5
    ]
    bench.scrape(*found, complete=chance.random() < 0.8)
    bench.beat += chance.random() < 0.2


def _live(bench: StreamBench, client: BenchClient, chance: random.Random) -> BenchClient:
    """Read all, a part, or nothing; sometimes lose the connection in the middle of what was sent."""
    fate = chance.random()
    if fate < 0.3:
        client.read()
    elif fate < 0.6:
        client.read(chance.randint(1, 3))
    elif fate < 0.75:
        for text in client.sent():
            client.mirror.feed(text[: chance.randint(0, len(text))])
            break
        return bench.client(client.leave(), mirror=client.mirror)
    return client
