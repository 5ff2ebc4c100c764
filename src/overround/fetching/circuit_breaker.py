"""When a bookmaker is left alone, by how its requests ended: after many failures, until a probe is answered."""

from collections import deque
from enum import StrEnum

import msgspec

from overround.errors import BlockedError, FetchError, RefusedError, ThrottledError, TransientFetchError


class RequestOutcome(StrEnum):
    """How a request ended, as far as the bookmaker's well-being goes."""

    ANSWERED = "answered"
    UNUSABLE = "unusable"  # the bookmaker is well, the answer is of no use: gone, or too large
    FAILED = "failed"
    COMPLAINED = "complained"  # throttled, blocked, refused, overloaded or too slow: we ask too much
    ABANDONED = "abandoned"  # cancelled before its end: says nothing


def outcome_of(error: FetchError) -> RequestOutcome:
    """Return what a failed request says."""
    if isinstance(error, ThrottledError | BlockedError | RefusedError):
        return RequestOutcome.COMPLAINED
    if isinstance(error, TransientFetchError):
        return RequestOutcome.COMPLAINED if error.timed_out or error.overloaded else RequestOutcome.FAILED
    return RequestOutcome.UNUSABLE


_FAILURES = frozenset((RequestOutcome.FAILED, RequestOutcome.COMPLAINED))


class BreakerState(StrEnum):
    """Whether requests are sent."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one request is, to find out


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens, and for how long, in seconds: the pause doubles with each failed probe."""

    in_a_row: int = 20
    newest: int = 50
    failed_share: float = 0.8
    pause: float = 5.0
    longest_pause: float = 60.0


class Breaker:
    """A circuit breaker. Times are seconds of a monotonic clock, and never go back from call to call.

    A request carries the turn that `start` gave it; what was started before the state last changed
    says nothing about the present one.
    """

    def __init__(self, policy: BreakerPolicy, now: float) -> None:
        """Begin closed."""
        self.state = BreakerState.CLOSED
        self.since = now
        self.reason = ""
        self.retry_at: float | None = None
        self._policy = policy
        self._pause = policy.pause
        self._turn = 0
        self._in_a_row = 0
        self._newest: deque[bool] = deque(maxlen=policy.newest)

    def refuses(self, now: float) -> bool:
        """Tell whether it is open, and not yet time for a probe."""
        return self.retry_at is not None and now < self.retry_at

    def start(self, now: float) -> int | None:
        """Return the turn of a request that starts now; None if it must not: a probe is alone."""
        if self.state is BreakerState.HALF_OPEN or self.refuses(now):
            return None
        if self.state is BreakerState.OPEN:
            self._become(BreakerState.HALF_OPEN, now, None)
        return self._turn

    def hold(self, until: float, reason: str, now: float) -> None:
        """Open until then, as the bookmaker asked; one probe follows. A hold that ends earlier changes nothing."""
        if self.retry_at is not None and self.retry_at >= until:
            return
        self.reason = reason
        self._become(BreakerState.OPEN, now, until)

    def ended(self, turn: int, outcome: RequestOutcome, now: float) -> None:
        """Take into account how a request ended."""
        if turn != self._turn:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._probed(outcome, now)
        elif outcome is not RequestOutcome.ABANDONED:
            self._count(outcome in _FAILURES, now)

    def _probed(self, outcome: RequestOutcome, now: float) -> None:
        if outcome is RequestOutcome.ABANDONED:
            self._become(BreakerState.OPEN, now, now)
        elif outcome in _FAILURES:
            self._pause = min(self._pause * 2, self._policy.longest_pause)
            self._become(BreakerState.OPEN, now, now + self._pause)
        else:
            self._pause = self._policy.pause
            self.reason = ""
            self._become(BreakerState.CLOSED, now, None)

    def _count(self, failed: bool, now: float) -> None:  # noqa: FBT001 - one outcome of two
        self._in_a_row = self._in_a_row + 1 if failed else 0
        self._newest.append(failed)
        reason = self._why_open()
        if reason:
            self.reason = reason
            self._become(BreakerState.OPEN, now, now + self._pause)

    def _why_open(self) -> str:
        policy, failed = self._policy, sum(self._newest)
        if self._in_a_row >= policy.in_a_row:
            return f"{self._in_a_row} requests in a row failed"
        if len(self._newest) == policy.newest and failed >= policy.failed_share * policy.newest:
            return f"{failed} of the newest {policy.newest} requests failed"
        return ""

    def _become(self, state: BreakerState, now: float, retry_at: float | None) -> None:
        self.state = state
        self.since = now
        self.retry_at = retry_at
        self._turn += 1
        self._in_a_row = 0
        self._newest.clear()
