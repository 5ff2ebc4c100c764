"""What a request's end says about how its bookmaker may be asked from now on."""

from enum import StrEnum

from overround.errors import BlockedError, FetchError, RefusedError, ThrottledError, TransientFetchError


class Outcome(StrEnum):
    """How a request ended, as far as the bookmaker's well-being goes."""

    ANSWERED = "answered"
    UNUSABLE = "unusable"  # the bookmaker is well, the answer is of no use: gone, or too large
    FAILED = "failed"
    COMPLAINED = "complained"  # throttled, blocked, refused, overloaded or too slow: we ask too much
    ABANDONED = "abandoned"  # cancelled before its end: says nothing


def outcome_of(error: FetchError) -> Outcome:
    """Return what a failed request says."""
    if isinstance(error, ThrottledError | BlockedError | RefusedError):
        return Outcome.COMPLAINED
    if isinstance(error, TransientFetchError):
        return Outcome.COMPLAINED if error.timed_out or error.overloaded else Outcome.FAILED
    return Outcome.UNUSABLE
