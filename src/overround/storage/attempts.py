"""Asking the database until it answers: what fails is tried again, for as long as it takes."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import msgspec
import structlog

from overround.db.error_classes import Exit, classify, is_away, is_known
from overround.errors import OwnershipLostError
from overround.ports import Clock
from overround.records.writing import WriterState

Answer = TypeVar("Answer")

_UNFORESEEN = "unforeseen"

_log = structlog.get_logger(__name__)


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait between tries, in seconds: full jitter under a doubling, capped bound."""

    base: float = 0.1
    cap: float = 30.0

    def delay(self, attempt: int) -> float:
        """Return the pause after the n-th failed try, n from 1."""
        bound = min(self.cap, self.base * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, bound)  # noqa: S311 - jitter is no secret


# A server that returns is to be found soon, and while it is away a try costs it nothing.
_LONGEST_PAUSE_WHILE_AWAY = 3.0  # seconds
# While the breaker is open somebody has to act first; a probe holds locks that he may need.
_PROBES = Backoff(base=5.0, cap=60.0)


class Attempts:
    """Tries again what fails, and tells how it stands.

    `state` is of the last try: an error of the schema or the program opens the breaker, any other
    one means retrying; both end with the first success.
    """

    def __init__(self, clock: Clock, backoff: Backoff, probes: Backoff = _PROBES) -> None:
        self._clock = clock
        self._backoff = backoff
        self._probes = probes
        self._while_away = msgspec.structs.replace(backoff, cap=min(backoff.cap, _LONGEST_PAUSE_WHILE_AWAY))
        self.state = WriterState.RUNNING
        self.reason = ""
        self.since: datetime = clock.now()
        self.retries: Counter[str] = Counter()

    @property
    def probing(self) -> bool:
        """Tell whether the next try is only to find out if the breaker can be closed."""
        return self.state is WriterState.BREAKER_OPEN

    async def at_last(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer.

        Raises:
            OwnershipLostError: another process owns the database, and there will be none.
        """
        attempt = 0
        while True:
            try:
                answer = await ask()
            except OwnershipLostError:
                raise  # for good: another process writes from now on
            except Exception as error:  # noqa: BLE001 - supervision point: a write may fail, the worker may not
                attempt = self._count(error, attempt)
                await self._pause(attempt, self._backoff_for(error))
            else:
                self._enter(WriterState.RUNNING, "")
                return answer

    def _count(self, error: Exception, attempt: int) -> int:
        """Take note of a failure; return the number of failures in a row of its kind."""
        exit_ = classify(error)
        known = is_known(error) and exit_ is not Exit.BISECT  # content is the handler's to isolate
        self.retries[exit_.value if known else _UNFORESEEN] += 1
        state = WriterState.BREAKER_OPEN if exit_ is Exit.BREAK else WriterState.RETRYING
        attempt = attempt + 1 if state is self.state else 1
        self._enter(state, f"{type(error).__name__}: {error}".splitlines()[0][:500])
        if not known:
            _log.error("write_error_unforeseen", attempt=attempt, error=self.reason)
        return attempt

    def _backoff_for(self, error: Exception) -> Backoff:
        if self.probing:
            return self._probes
        return self._while_away if is_away(error) else self._backoff

    async def _pause(self, attempt: int, backoff: Backoff) -> None:
        delay = backoff.delay(attempt)
        _log.warning(
            "write_batch_retry", attempt=attempt, delay_s=round(delay, 3), state=self.state.value, error=self.reason
        )
        await self._clock.sleep(delay)

    def _enter(self, state: WriterState, reason: str) -> None:
        if state is not self.state:
            self.since = self._clock.now()
            if state is WriterState.BREAKER_OPEN:
                _log.error("write_breaker_open", error=reason)
            elif self.state is WriterState.BREAKER_OPEN and state is WriterState.RUNNING:
                _log.info("write_breaker_closed")
        self.state, self.reason = state, reason
