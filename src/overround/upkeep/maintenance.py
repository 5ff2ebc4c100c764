"""The database's upkeep while the service runs: partitions ahead of time, retention, growth a day."""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import driver_connection
from overround.db.ownership import Fence, unfenced
from overround.db.retention import RetentionReport, keep_batches, keep_partitions
from overround.db.size import database_bytes
from overround.ports import Clock

_KEPT = 25  # hourly measurements of a day, both ends included
_DAY_SECONDS = 86_400


class Growth:
    """Remembers the newest measurements of a size in bytes."""

    def __init__(self) -> None:
        self._measured: deque[tuple[datetime, int]] = deque(maxlen=_KEPT)

    def measured(self, at: datetime, size: int) -> None:
        """Note a measurement."""
        self._measured.append((at, size))

    @property
    def newest(self) -> int | None:
        """Return the newest size; None before the first measurement."""
        return self._measured[-1][1] if self._measured else None

    @property
    def per_day(self) -> float | None:
        """Return the bytes a day between the first and the newest that are remembered; None without two."""
        if not self._measured:
            return None
        (first_at, first), (last_at, last) = self._measured[0], self._measured[-1]
        seconds = (last_at - first_at).total_seconds()
        return (last - first) / seconds * _DAY_SECONDS if seconds > 0 else None


_BATCHES_KEPT = timedelta(days=7)  # the record of what was written when, for checks
_AHEAD = 3  # partitions; health turns red below two

_log = structlog.get_logger(__name__)


class Maintenance:
    """Runs a round of upkeep, and remembers how the last one went and how the database has grown."""

    def __init__(
        self,
        engine: AsyncEngine,
        ready: asyncio.Event,
        clock: Clock,
        keep: Mapping[str, timedelta],
        fence: Fence = unfenced,
    ) -> None:
        """Build it; nothing is done before `ready` is set. `keep` is how long each table's rows stay."""
        self._fence = fence
        self._moved_at = clock.monotonic()
        self._engine = engine
        self._ready = ready
        self._clock = clock
        self.keep = keep
        self.last: RetentionReport | None = None
        self.growth = Growth()

    async def run(self) -> None:
        """Do a round of upkeep; a failure is logged, and the next round tries again."""
        await self._ready.wait()
        try:
            now, monotonic = self._clock.now(), self._clock.monotonic()
            running = timedelta(seconds=monotonic - self._moved_at)
            self.last = await keep_partitions(self._engine, now, running, self.keep, _AHEAD, self._fence)
            async with driver_connection(self._engine) as connection:
                await keep_batches(connection, now - _BATCHES_KEPT, running, self._fence)
            self._moved_at = monotonic
            self.growth.measured(now, await database_bytes(self._engine))
        except Exception as error:  # noqa: BLE001 - supervision point: upkeep may fail, the service may not
            _log.error("maintenance_failed", error=repr(error))
            return
        if self.last.waiting:
            _log.error("retention_waits", partitions=self.last.waiting)
        _log.info("maintenance_done", **msgspec.to_builtins(self.last))

    def partitions_short(self) -> bool:
        """Tell whether some table has fewer than two partitions to come."""
        return self.last is not None and min(self.last.ahead.values(), default=0) < _AHEAD - 1
