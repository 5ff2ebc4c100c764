"""Which requests faults strike, and how they are written."""

import msgspec
import pytest

from overround.errors import SettingsError
from overround.ports import SimulatedAnswer
from overround.simulator.server.arguments import Options, fault_of, fault_text, options_from, parsed
from overround.simulator.server.faults import Conduct, Fault, FaultName, Faults
from overround.simulator.server.latency import AnswerLatency

ANSWER = SimulatedAnswer(status=200, body=b'{"whole":"body"}', subject="event 1")

EVENT = SimulatedAnswer(status=200, body=b'{"id":"1","home":1.85,"away":"2.10"}', subject="event 2")
LISTED = {"id": 1, "home": "A", "away": "B", "start": 5, "country": "C", "league": "D"}
LEAGUE = SimulatedAnswer(status=200, body=msgspec.json.encode({"data": [{"events": [LISTED] * 4}]}), subject="league 1")
NOT_OF_REQUESTS = frozenset(
    {
        FaultName.DUPLICATE_LISTINGS,
        FaultName.WRONG_SR_ID,
        FaultName.UNLISTED_EVENTS,
        FaultName.LIVE_BODIES,
        FaultName.FAILING_LEAGUE,
        FaultName.DAMAGED_ENTRIES,
        FaultName.SHORT_LISTS,
        FaultName.OTHER_EVENTS,
        FaultName.UNREADABLE_PRICES,
    }
)


def struck(fault: Fault, *, seed: int = 1, slug: str = "betpawa", tick: int = 0, requests: int = 400) -> list[int]:
    """Return which of many requests are struck."""
    faults = Faults(seed)
    faults.set([fault], 0)
    reactions = [faults.reaction(slug, f"request {number}".encode(), ANSWER, tick) for number in range(requests)]
    return [
        number
        for number, reaction in enumerate(reactions)
        if reaction.answer is not ANSWER or reaction.conduct is not Conduct.PLAIN
    ]


@pytest.mark.parametrize("name", [name for name in FaultName if name not in NOT_OF_REQUESTS])
def test_share_of_the_requests_is_struck(name: FaultName) -> None:
    """About the ordered share of the requests is struck, the same ones for the same seed, others for another."""
    fault = Fault(name=name, share=0.5)
    assert 150 < len(struck(fault)) < 250
    assert struck(fault) == struck(fault)
    assert struck(fault) != struck(fault, seed=2)


def test_lists_are_damaged_and_shortened() -> None:
    """One entry of four cannot be read, or the list ends too soon; an answer without a list stays as it is."""
    faults = Faults(1)
    faults.set([Fault(name=FaultName.DAMAGED_ENTRIES, share=1.0)], 0)
    entries = msgspec.json.decode(faults.reaction("betpawa", b"list", LEAGUE, 0).answer.body)["data"][0]["events"]
    assert sorted(map(len, entries)) == [1, 6, 6, 6]
    assert faults.reaction("betpawa", b"event", EVENT, 0).answer is EVENT
    faults.set([Fault(name=FaultName.SHORT_LISTS, share=1.0)], 0)
    assert len(msgspec.json.decode(faults.reaction("betpawa", b"list", LEAGUE, 0).answer.body)["data"][0]["events"]) < 4


def test_bodies_are_swapped_and_prices_spoilt() -> None:
    """A body of the event before comes instead, or one of its decimal numbers is none."""
    faults = Faults(1)
    faults.set([Fault(name=FaultName.OTHER_EVENTS, share=1.0)], 0)
    assert faults.reaction("betpawa", b"first", ANSWER, 0).answer is ANSWER
    assert faults.reaction("betpawa", b"second", EVENT, 0).answer is ANSWER
    faults.set([Fault(name=FaultName.UNREADABLE_PRICES, share=1.0)], 0)
    spoilt = msgspec.json.decode(faults.reaction("betpawa", b"third", EVENT, 0).answer.body)
    assert list(spoilt.values()).count("?") == 1


def test_repetition_is_drawn_anew() -> None:
    """A request that failed may succeed when it is repeated."""
    faults = Faults(1)
    faults.set([Fault(name=FaultName.SERVER_ERRORS, share=0.5)], 0)
    statuses = [faults.reaction("betpawa", b"the same", ANSWER, 0).answer.status for _ in range(40)]
    assert 5 < statuses.count(200) < 35


def test_only_the_named_bookmakers_are_struck_and_only_so_long() -> None:
    """Bookmakers that are not named, and ticks after the last, are spared."""
    fault = Fault(name=FaultName.GONE, bookmakers=("bet9ja",), ticks=2)
    assert struck(fault) == []
    assert len(struck(fault, slug="bet9ja", requests=5)) == 5
    assert struck(fault, slug="bet9ja", tick=2) == []


def test_failing_league_fails_whenever_it_is_asked_for() -> None:
    """The calls of some leagues fail however often they are repeated; other calls never do."""
    faults = Faults(1)
    faults.set([Fault(name=FaultName.FAILING_LEAGUE, share=0.3)], 0)
    failed = set()
    for league in range(50):
        answer = SimulatedAnswer(status=200, body=b"[]", subject=f"league {league}")
        statuses = {faults.reaction("bet9ja", b"%d" % league, answer, 0).answer.status for _ in range(5)}
        assert statuses == {200} or 200 not in statuses
        failed |= {league} if 200 not in statuses else set()
    assert 5 < len(failed) < 30
    assert faults.reaction("bet9ja", b"x", ANSWER, 0).answer is ANSWER


@pytest.mark.parametrize("text", ["throttled:", "gone:bet9ja", "html:bet9ja+betpawa:50", "hangs::5"])
def test_faults_are_read_as_they_are_written(text: str) -> None:
    """Name, bookmakers and percentage survive the way to another process."""
    assert fault_text(fault_of(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"), [("nope", "there is no 'nope', but: throttled"), ("html:x:many", "percentage")]
)
def test_faults_there_are_not_are_refused(text: str, reason: str) -> None:
    """A mistyped fault is named, with those there are."""
    with pytest.raises(SettingsError, match=reason):
        fault_of(text)


def test_options_survive_the_command_line() -> None:
    """The server reads the same options that were handed to it."""
    options: Options = options_from(
        seed=7, events=60, tick_seconds=30, size="captured", latency="observed", faults=["gone:bet9ja:100"]
    )
    assert parsed(options.arguments()) == options


@pytest.mark.parametrize(
    "wrong", [{"events": 0}, {"events": 20_001}, {"tick_seconds": 0}, {"size": "huge"}, {"epoch": "yesterday"}]
)
def test_impossible_options_are_refused(wrong: dict[str, int | str]) -> None:
    """What cannot be simulated is a settings error."""
    with pytest.raises(SettingsError):
        options_from(**{"seed": 1, "events": 1, "tick_seconds": 1, **wrong})  # type: ignore[arg-type]


def test_latency_has_the_observed_median_and_tail() -> None:
    """Half of the answers take up to the median, and 1 in 20 longer than the 95th percentile."""
    latency = AnswerLatency(1, "betpawa", (337, 517))
    times = sorted(latency.seconds() for _ in range(4000))
    assert times[2000] == pytest.approx(0.337, rel=0.05)
    assert times[3800] == pytest.approx(0.517, rel=0.07)
