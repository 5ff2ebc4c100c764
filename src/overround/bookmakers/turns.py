"""When a bookmaker may be asked: how many at once, how far apart, how many a minute, and when not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from overround.bookmakers.adaptive import AdaptiveLimit
from overround.bookmakers.breaker import Breaker, BreakerPolicy, BreakerState
from overround.bookmakers.minute import MinuteBudget
from overround.bookmakers.outcome import Outcome, outcome_of
from overround.bookmakers.places import Places
from overround.errors import CircuitOpenError, FetchError, ThrottledError
from overround.ports import BookmakerOptions, Clock

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
            outcome = Outcome.ABANDONED
            try:
                yield
                outcome = Outcome.ANSWERED
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

    def _learn(self, turn: int, generation: int, outcome: Outcome) -> None:
        self._adaptive.ended(generation, outcome)
        before = self._breaker.state
        self._breaker.ended(turn, outcome, self._clock.monotonic())
        if before is BreakerState.CLOSED and self._breaker.state is BreakerState.OPEN:
            self._adaptive.restart()  # so that others wait in line while one probes

    def _refuse_while_closed_to_us(self, subject: str) -> None:
        if self._held() > self._longest_hold:
            raise ThrottledError(self._slug, subject, f"not asked: {self._hold_reason()}", self._held())
        if self._breaker.refuses(self._clock.monotonic()):
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
