"""When a bookmaker may be asked: how many requests at once, how far apart, how many a minute, and which go first."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

import msgspec

from overround.errors import CircuitOpenError, FetchError, ThrottledError
from overround.fetching.circuit_breaker import Breaker, BreakerPolicy, BreakerState, RequestOutcome, outcome_of
from overround.ports import BookmakerOptions, Clock

_URGENT: ContextVar[bool] = ContextVar("overround_urgent", default=False)


@contextlib.contextmanager
def urgent() -> Iterator[None]:
    """Let the requests of the block, and of tasks started in it, go ahead of others that wait."""
    token = _URGENT.set(True)
    try:
        yield
    finally:
        _URGENT.reset(token)


def is_urgent() -> bool:
    """Tell whether the present task's requests go ahead of others."""
    return _URGENT.get()


class AdaptiveLimit:
    """Additive increase, multiplicative decrease, from 1 to the configured limit.

    Requests carry the generation in which they started. A complaint begins a new one, so that many
    complaints about one burst halve once, and answers to that burst do not speed up again.
    """

    def __init__(self, limit: int) -> None:
        """Begin with all of the limit: nothing speaks against it yet."""
        self.limit = limit
        self.generation = 0
        self._window = float(limit)

    @property
    def allowed(self) -> int:
        """Return how many requests may be under way."""
        return int(self._window)

    def set_limit(self, limit: int) -> None:
        """Change the limit; a bookmaker that bore all of the old one may have all of the new one at once."""
        unhindered = self._window >= self.limit
        self.limit = limit
        self._window = float(limit) if unhindered else min(self._window, float(limit))

    def ended(self, generation: int, outcome: RequestOutcome) -> None:
        """Take into account how a request of a generation ended."""
        if generation != self.generation:
            return
        if outcome is RequestOutcome.ANSWERED:
            # One more for as many answers as are allowed at once.
            self._window = min(float(self.limit), self._window + 1 / self._window)
        elif outcome is RequestOutcome.COMPLAINED:
            self._shrink(self._window / 2)

    def restart(self) -> None:
        """Begin again with one at a time."""
        self._shrink(1.0)

    def _shrink(self, window: float) -> None:
        self._window = max(1.0, window)
        self.generation += 1


SECONDS = 60.0
_MOST = 100_000  # remembered at most; the largest budget that the settings allow


class MinuteBudget:
    """Spaces requests so that no 60 seconds have more starts than the budget; without one it only counts."""

    def __init__(self, budget: int | None) -> None:
        self.budget = budget
        self._starts: deque[float] = deque(maxlen=2 * _MOST)

    def reserve(self, start: float, now: float) -> float:
        """Return the earliest time from `start` on that the budget allows, which is taken then.

        Times are of a monotonic clock; no `start` may be before the time returned last.
        """
        self._forget(now)
        if self.budget is not None and len(self._starts) >= self.budget:
            start = max(start, self._starts[-self.budget] + SECONDS)
        self._starts.append(start)
        return start

    def used(self, now: float) -> int:
        """Return how many requests started in the last 60 seconds."""
        self._forget(now)
        return sum(start <= now for start in self._starts)

    def _forget(self, now: float) -> None:
        while self._starts and self._starts[0] <= now - SECONDS:
            self._starts.popleft()


class Places:
    """Hands out places in the order in which they are asked for, to the urgent ones first."""

    def __init__(self, allowed: Callable[[], int]) -> None:
        """Hand out as many as `allowed` says at the time; those taken stay taken when it falls."""
        self.in_use = 0
        self._allowed = allowed
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._urgent: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        urgent = is_urgent()
        before = self._urgent if urgent else self._urgent or self._waiting
        if not before and self.in_use < self._allowed():
            self.in_use += 1
            return
        place = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._waiting).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()  # it was handed over in the same moment
            raise

    def _leave(self) -> None:
        self.in_use -= 1
        while (waiting := self._urgent or self._waiting) and self.in_use < self._allowed():
            place = waiting.popleft()
            if not place.done():
                self.in_use += 1
                place.set_result(None)


_POLICY = BreakerPolicy()


class TurnState(msgspec.Struct, frozen=True, kw_only=True):
    """How a bookmaker may be asked at present: concurrency, breaker, requests of the last minute.

    `held_until` is set while nothing is sent because the bookmaker asked for that; `hold_reason` is its word.
    """

    limit: int
    allowed: int
    in_use: int
    breaker: BreakerState
    breaker_since: datetime
    breaker_reason: str
    retry_at: datetime | None
    minute_budget: int | None
    minute_used: int
    held_until: datetime | None = None
    hold_reason: str = ""


class Turns:
    """Hands out turns to make a request, and learns from how each one ends.

    A turn's place is free again when its block ends, however it ends; what the block raises tells the
    adaptive limit and the breaker how the bookmaker bears it.
    """

    def __init__(
        self,
        slug: str,
        options: BookmakerOptions,
        clock: Clock,
        longest_hold: float,
        policy: BreakerPolicy = _POLICY,
    ) -> None:
        """Set the limits; beyond `longest_hold` seconds nobody waits for a bookmaker that said "wait"."""
        self._slug = slug
        self._clock = clock
        self._interval = options.min_interval_ms / 1000
        self._longest_hold = longest_hold
        self._next_start = clock.monotonic()
        self._held_until = self._next_start
        self._adaptive = AdaptiveLimit(options.concurrency)
        self._places = Places(lambda: self._adaptive.allowed)
        # One after another they are given their times: who is urgent need not stand behind times that are far off.
        self._start = Places(lambda: 1)
        self._breaker = Breaker(policy, self._next_start)
        self._minute = MinuteBudget(options.requests_per_minute)

    @asynccontextmanager
    async def take(self, subject: str) -> AsyncIterator[None]:
        """Wait for a place and for the time to start, and keep the place for the block.

        Raises:
            ThrottledError: the bookmaker asked for a longer wait than anybody waits; nothing was sent.
            CircuitOpenError: so much has failed that nothing is sent for now.
        """
        self._refuse_while_closed_to_us(subject)
        async with self._places.one():
            self._refuse_while_closed_to_us(subject)
            async with self._start.one():
                await self._wait_to_start(subject)
                await asyncio.sleep(0)  # one in a turn of the event loop: a burst of requests would keep it long
            turn, generation = self._breaker.start(self._clock.monotonic()), self._adaptive.generation
            if turn is None:
                raise self._refusal(subject)
            outcome = RequestOutcome.ABANDONED
            try:
                yield
                outcome = RequestOutcome.ANSWERED
            except FetchError as error:
                outcome = outcome_of(error)
                raise
            finally:
                self._learn(turn, generation, outcome)

    def hold(self, seconds: float | None) -> None:
        """Start nothing for that long, in seconds: what one request was told holds for all.

        After a hold that is longer than anybody waits, one request probes before the others follow.
        """
        if seconds is None:
            return
        now = self._clock.monotonic()
        self._held_until = max(self._held_until, now + seconds)
        if seconds > self._longest_hold:
            self._breaker.hold(now + seconds, f"told to wait {seconds:.0f} s", now)
            self._adaptive.restart()  # so that others wait in line while one probes

    def set_limits(self, options: BookmakerOptions) -> None:
        """Go by other limits from the next request on."""
        self._interval = options.min_interval_ms / 1000
        self._minute.budget = options.requests_per_minute
        self._adaptive.set_limit(options.concurrency)

    def state(self) -> TurnState:
        """Return how the bookmaker may be asked at present."""
        breaker, retry_at = self._breaker, self._breaker.retry_at
        return TurnState(
            limit=self._adaptive.limit,
            allowed=self._adaptive.allowed,
            in_use=self._places.in_use,
            breaker=breaker.state,
            breaker_since=self._instant(breaker.since),
            breaker_reason=breaker.reason,
            retry_at=None if retry_at is None else self._instant(retry_at),
            minute_budget=self._minute.budget,
            minute_used=self._minute.used(self._clock.monotonic()),
            held_until=self._instant(self._held_until) if self._held() > 0 else None,
            hold_reason=self._hold_reason() if self._held() > 0 else "",
        )

    def _learn(self, turn: int, generation: int, outcome: RequestOutcome) -> None:
        self._adaptive.ended(generation, outcome)
        before = self._breaker.state
        self._breaker.ended(turn, outcome, self._clock.monotonic())
        if before is BreakerState.CLOSED and self._breaker.state is BreakerState.OPEN:
            self._adaptive.restart()  # so that others wait in line while one probes

    def _refuse_while_closed_to_us(self, subject: str) -> None:
        held, is_open = self._held(), self._breaker.refuses(self._clock.monotonic())
        if held > self._longest_hold or (held > 0 and is_open):
            raise ThrottledError(self._slug, subject, f"not asked: {self._hold_reason()}", held)
        if is_open:
            raise self._refusal(subject)

    def _refusal(self, subject: str) -> CircuitOpenError:
        return CircuitOpenError(self._slug, subject, f"not asked: {self._breaker.reason}")

    def _held(self) -> float:
        return self._held_until - self._clock.monotonic()

    def _hold_reason(self) -> str:
        return f"told to wait {self._held():.0f} s"

    def _instant(self, monotonic: float) -> datetime:
        return self._clock.now() + timedelta(seconds=monotonic - self._clock.monotonic())

    async def _wait_to_start(self, subject: str) -> None:
        self._refuse_while_closed_to_us(subject)
        now = self._clock.monotonic()
        start = self._minute.reserve(max(now, self._next_start, self._held_until), now)
        self._next_start = start + self._interval
        if start > now:
            await self._clock.sleep(start - now)
