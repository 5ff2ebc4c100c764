"""The number of requests at once: grows by answers, halves by complaints, and stays within its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.errors import (
    BlockedError,
    CircuitOpenError,
    FetchError,
    GoneError,
    MalformedError,
    ThrottledError,
    TransientFetchError,
)
from overround.fetching.admission import AdaptiveLimit
from overround.fetching.circuit_breaker import RequestOutcome, outcome_of

LIMITS = st.integers(1, 60)
HISTORY = st.lists(st.tuples(st.sampled_from(RequestOutcome), st.integers(0, 3)), max_size=200)


@given(LIMITS, HISTORY)
def test_allowed_stays_within_bounds(limit: int, history: list[tuple[RequestOutcome, int]]) -> None:
    """Whatever happens, at least one request and at most the configured number is allowed."""
    adaptive = AdaptiveLimit(limit)
    for outcome, behind in history:
        adaptive.ended(max(0, adaptive.generation - behind), outcome)
        assert 1 <= adaptive.allowed <= limit


@given(LIMITS, HISTORY)
def test_only_answers_speed_up(limit: int, history: list[tuple[RequestOutcome, int]]) -> None:
    """No error, no useless answer and no cancelled request ever raises what is allowed."""
    adaptive = AdaptiveLimit(limit)
    for outcome, behind in history:
        before = adaptive.allowed
        adaptive.ended(max(0, adaptive.generation - behind), outcome)
        assert outcome is RequestOutcome.ANSWERED or adaptive.allowed <= before


@given(st.integers(2, 60))
def test_a_burst_of_complaints_halves_once(limit: int) -> None:
    """All requests of a burst are refused: that is one complaint, and late answers of it count for nothing."""
    adaptive = AdaptiveLimit(limit)
    for _ in range(limit):
        adaptive.ended(0, RequestOutcome.COMPLAINED)
    assert adaptive.allowed == limit // 2
    for _ in range(1000):
        adaptive.ended(0, RequestOutcome.ANSWERED)
    assert adaptive.allowed == limit // 2


@given(st.integers(1, 60))
def test_answers_bring_all_of_the_limit_back(limit: int) -> None:
    """After a fall to one, at most as many answers as half the limit's square are enough to be back."""
    adaptive = AdaptiveLimit(limit)
    adaptive.restart()
    assert adaptive.allowed == 1
    for _ in range(limit * (limit + 1) // 2):
        adaptive.ended(adaptive.generation, RequestOutcome.ANSWERED)
    assert adaptive.allowed == limit


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ThrottledError("toto", "event", "429"), RequestOutcome.COMPLAINED),
        (BlockedError("toto", "event", "403"), RequestOutcome.COMPLAINED),
        (TransientFetchError("toto", "event", "silence", timed_out=True), RequestOutcome.COMPLAINED),
        (TransientFetchError("toto", "event", "500"), RequestOutcome.FAILED),
        (GoneError("toto", "event", "404"), RequestOutcome.UNUSABLE),
        (MalformedError("toto", "event", "too large"), RequestOutcome.UNUSABLE),
        (CircuitOpenError("toto", "event", "not asked"), RequestOutcome.UNUSABLE),
    ],
)
def test_errors_say_how_the_bookmaker_bears_it(error: FetchError, outcome: RequestOutcome) -> None:
    """Throttling, refusals and silence are complaints; failures are none; an event that is gone says it is well."""
    assert outcome_of(error) is outcome
