"""Has somebody set the clock? Nothing depends on it but what people read; they should know."""

from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from overround.ports import Clock

LEAST_STEP = timedelta(seconds=60)
SHOWN_FOR = 600.0  # seconds after the step, or after the clocks agree again

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # any fixed instant

_log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares the wall clock with the monotonic one, and with the database's clock."""

    def __init__(self, clock: Clock) -> None:
        """Build it; `clock` is the machine's, whatever date the service's shows."""
        self._clock = clock
        self._offset = self._now_offset()
        self._step: _Noted | None = None
        self._difference: _Noted | None = None

    async def look(self) -> None:
        """Note a step of the wall clock since the last look."""
        before, self._offset = self._offset, self._now_offset()
        step = self._offset - before
        if abs(step) > LEAST_STEP:
            self._step = _Noted(by=step, seen=self._clock.monotonic())
            _log.error("clock_stepped", seconds=round(step.total_seconds()))

    def compare(self, database_now: datetime) -> None:
        """Note how far the wall clock is from the database's."""
        ahead = self._clock.now() - database_now
        if abs(ahead) > LEAST_STEP:
            if self._difference is None or not self._is_fresh(self._difference):
                _log.error("clocks_differ", seconds=round(ahead.total_seconds()))
            self._difference = _Noted(by=ahead, seen=self._clock.monotonic())

    def reason(self) -> str:
        """Return what is wrong, or was within the last ten minutes, in a sentence; empty if nothing is."""
        told = []
        if self._step is not None and self._is_fresh(self._step):
            told.append(f"the clock was set {_text(self._step.by, 'forward', 'back')}")
        if self._difference is not None and self._is_fresh(self._difference):
            told.append(f"the clock is {_text(self._difference.by, 'ahead of', 'behind')} the database's")
        return "; ".join(told)

    def _is_fresh(self, noted: "_Noted") -> bool:
        return self._clock.monotonic() - noted.seen < SHOWN_FOR

    def _now_offset(self) -> timedelta:
        return self._clock.now() - _BEGINNING - timedelta(seconds=self._clock.monotonic())


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    """By how much, and the monotonic seconds when that was last seen."""

    by: timedelta
    seen: float


def _text(by: timedelta, forward: str, back: str) -> str:
    return f"{timedelta(seconds=round(abs(by).total_seconds()))} {forward if by > timedelta(0) else back}"
