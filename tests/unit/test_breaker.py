"""The circuit breaker: when it opens, who probes, and when it closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from overround.fetching.circuit_breaker import Breaker, BreakerPolicy, BreakerState, RequestOutcome

POLICY = BreakerPolicy(in_a_row=3, newest=10, failed_share=0.5, pause=5, longest_pause=20)
FAILURES = (RequestOutcome.FAILED, RequestOutcome.COMPLAINED)
OTHERS = (RequestOutcome.ANSWERED, RequestOutcome.UNUSABLE)


def end(breaker: Breaker, *outcomes: RequestOutcome, now: float = 0.0) -> None:
    """Start and end a request for each outcome."""
    for outcome in outcomes:
        turn = breaker.start(now)
        assert turn is not None
        breaker.ended(turn, outcome, now)


def opened() -> Breaker:
    """Return a breaker that opened at 0."""
    breaker = Breaker(POLICY, 0.0)
    end(breaker, *[RequestOutcome.FAILED] * 3)
    assert breaker.state is BreakerState.OPEN
    return breaker


@pytest.mark.parametrize("failure", FAILURES)
def test_failures_in_a_row_open_it(failure: RequestOutcome) -> None:
    """The third failure in a row opens it, with the reason; nothing starts before the pause is over."""
    breaker = Breaker(POLICY, 0.0)
    end(breaker, failure, failure)
    assert breaker.state is BreakerState.CLOSED
    end(breaker, failure)
    assert (breaker.state, breaker.reason, breaker.retry_at) == (BreakerState.OPEN, "3 requests in a row failed", 5.0)
    assert breaker.refuses(4.9)
    assert breaker.start(4.9) is None


@pytest.mark.parametrize("other", OTHERS)
def test_a_share_of_failures_opens_it(other: RequestOutcome) -> None:
    """Failures that are never three in a row open it once half of the newest ten have failed."""
    breaker = Breaker(POLICY, 0.0)
    end(breaker, *[RequestOutcome.FAILED, other] * 4, other)
    assert breaker.state is BreakerState.CLOSED
    end(breaker, RequestOutcome.FAILED)
    assert breaker.reason == "5 of the newest 10 requests failed"


def test_requests_that_say_nothing_change_nothing() -> None:
    """Cancelled requests neither open it nor break a row of failures."""
    breaker = Breaker(POLICY, 0.0)
    end(
        breaker,
        RequestOutcome.FAILED,
        RequestOutcome.ABANDONED,
        RequestOutcome.FAILED,
        *[RequestOutcome.ABANDONED] * 50,
    )
    assert not breaker.refuses(0.0)
    end(breaker, RequestOutcome.FAILED)
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("other", OTHERS)
def test_an_answered_probe_closes_it(other: RequestOutcome) -> None:
    """After the pause one request is sent, and no other beside it; its answer closes the breaker."""
    breaker = opened()
    probe = breaker.start(5.0)
    assert probe is not None
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.start(100.0) is None
    breaker.ended(probe, other, 6.0)
    assert (breaker.state, breaker.since, breaker.reason, breaker.retry_at) == (BreakerState.CLOSED, 6.0, "", None)


def test_failed_probes_double_the_pause() -> None:
    """Each failed probe doubles the pause, up to the longest; an answered one brings the first pause back."""
    breaker, now, pauses = opened(), 5.0, []
    for _ in range(3):
        end(breaker, RequestOutcome.FAILED, now=now)
        assert breaker.retry_at is not None
        pauses.append(breaker.retry_at - now)
        now = breaker.retry_at
    assert pauses == [10, 20, 20]
    end(breaker, RequestOutcome.ANSWERED, *[RequestOutcome.FAILED] * 3, now=now)
    assert breaker.retry_at == now + 5


def test_a_cancelled_probe_leaves_its_place_to_the_next() -> None:
    """A probe that was cancelled says nothing: the next request probes at once."""
    breaker = opened()
    end(breaker, RequestOutcome.ABANDONED, now=5.0)
    assert breaker.state is BreakerState.OPEN
    assert not breaker.refuses(5.0)
    assert breaker.start(5.0) is not None


@given(st.sampled_from(RequestOutcome))
def test_what_started_before_says_nothing_about_now(late: RequestOutcome) -> None:
    """A request from before the breaker opened neither closes it nor counts as the probe."""
    breaker = Breaker(POLICY, 0.0)
    early = breaker.start(0.0)
    assert early is not None
    end(breaker, *[RequestOutcome.FAILED] * 3)
    breaker.ended(early, late, 1.0)
    assert (breaker.state, breaker.retry_at) == (BreakerState.OPEN, 5.0)
    assert breaker.start(5.0) is not None
    breaker.ended(early, late, 6.0)
    assert breaker.state is BreakerState.HALF_OPEN


class BreakerMachine(RuleBasedStateMachine):
    """Requests that start and end in any order while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(POLICY, 0.0)
        self.turns: list[int] = []
        self.probes = 0

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        """Let time go on."""
        self.now += seconds

    @rule()
    def start(self) -> None:
        """Start a request, which is a probe where the breaker is not closed."""
        closed = self.breaker.state is BreakerState.CLOSED
        turn = self.breaker.start(self.now)
        assert not closed or turn is not None
        if turn is not None:
            self.turns.append(turn)

    @precondition(lambda self: self.turns)
    @rule(data=st.data(), outcome=st.sampled_from(RequestOutcome))
    def end(self, data: st.DataObject, outcome: RequestOutcome) -> None:
        """End one of them."""
        turn = self.turns.pop(data.draw(st.integers(0, len(self.turns) - 1)))
        self.breaker.ended(turn, outcome, self.now)

    @invariant()
    def a_state_has_what_belongs_to_it(self) -> None:
        """Open has a time to probe, at most the longest pause away, and a reason; others have no such time."""
        breaker = self.breaker
        assert (breaker.retry_at is not None) == (breaker.state is BreakerState.OPEN)
        assert (breaker.reason == "") == (breaker.state is BreakerState.CLOSED)
        if breaker.retry_at is not None:
            assert breaker.retry_at <= breaker.since + POLICY.longest_pause

    @invariant()
    def a_probe_is_alone(self) -> None:
        """While it is half-open, exactly one request under way has the present turn: it never stays so for ever."""
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert sum(turn == self.breaker._turn for turn in self.turns) == 1


BreakerMachineTest = BreakerMachine.TestCase
