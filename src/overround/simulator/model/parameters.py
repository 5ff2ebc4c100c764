"""What a simulation is made of: the same parameters give the same bytes, in every process."""

from datetime import UTC, datetime

import msgspec

from overround.bookmakers.kit.simulation import Size
from overround.simulator.model.leagues import FOOTBALL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TICK_SECONDS = 300
MAX_EVENTS = 20_000


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """A market's seed and extent.

    `epoch` is the instant of tick 0, from which kick-offs count; a tick is `tick_seconds` of calendar
    time, and always as much of the market's own time: prices move per tick. Of the `sports` all but the first
    have a tenth of the events each.
    """

    seed: int = 1
    epoch: datetime = EPOCH
    events: int = 1300
    tick_seconds: int = TICK_SECONDS
    size: Size = Size.AUDIT
    sports: tuple[str, ...] = (FOOTBALL,)
