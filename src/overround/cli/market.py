"""The demo's bookmakers: a simulated market that moves a tick each cycle, or recordings that stand still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from overround.clock import OffsetClock, SystemClock
from overround.errors import SettingsError
from overround.simulator.server.arguments import options_from
from overround.simulator.server.child import SimulatorHandle, running_simulator

_RECORD = "simulation.json"
_TICK_SECONDS = 30  # as long as the demo's cycle: kick-offs come closer as fast as for the person who watches
_LEAD = timedelta(hours=1)  # how long before the earliest recorded kick-off the demo's clock starts


SPORTS = ("football", "basketball", "tennis")


class MarketRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asks for: recordings of a directory, or so many simulated events of all sports by a seed."""

    captures: Path | None = None
    events: int = 200
    seed: int = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation's identity and the tick of its last cycle; stored with the data that came from it."""

    seed: int
    events: int
    sports: tuple[str, ...] = ("football",)  # what there was before it was recorded
    epoch: datetime
    tick_seconds: int = _TICK_SECONDS
    tick: int = -1

    def instant(self) -> datetime:
        """Return the market's time at the present tick."""
        return self.epoch + timedelta(seconds=self.tick_seconds) * max(self.tick, 0)


class DemoMarket:
    """The running bookmakers, and the time by which they and the service live."""

    def __init__(self, simulator: SimulatorHandle, record: _Record | None, file: Path) -> None:
        self.simulator = simulator
        self._record = record
        self._file = file
        self.clock = OffsetClock(self._start())

    def begin_after(self, instant: datetime | None) -> None:
        """Let the clock be later than anything that is stored already."""
        if instant is not None:
            self.clock.move_to(instant + timedelta(seconds=1))

    async def next_cycle(self) -> None:
        """Move the market by a tick, and the clock with it; recordings stay as they are."""
        if self._record is None:
            return
        self._record = msgspec.structs.replace(self._record, tick=self._record.tick + 1)
        await self.simulator.go_to(self._record.tick)
        self._remember(self._record)
        self.clock.move_to(self._record.instant())

    def _remember(self, record: _Record) -> None:
        """Store the record in one step: a demo that is killed here leaves the old one or the new one."""
        aside = self._file.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(record))
        aside.replace(self._file)

    def _start(self) -> datetime:
        if self._record is not None:
            return self._record.instant()
        kickoff = self.simulator.earliest_kickoff
        return SystemClock().now() if kickoff is None else kickoff - _LEAD


@asynccontextmanager
async def running_market(data_dir: Path, request: MarketRequest) -> AsyncIterator[DemoMarket]:
    """Run the bookmakers in a process of their own.

    Raises:
        SettingsError: the data directory holds the prices of another simulation.
    """
    file = data_dir / _RECORD
    if request.captures is not None:
        async with running_simulator(request.captures) as simulator:
            yield DemoMarket(simulator, None, file)
        return
    record = _stored(file, request) or _Record(
        seed=request.seed, events=request.events, sports=SPORTS, epoch=SystemClock().now().replace(microsecond=0)
    )
    options = options_from(
        seed=record.seed,
        events=record.events,
        sports=",".join(record.sports),
        epoch=record.epoch.isoformat(),
        tick_seconds=record.tick_seconds,
    )
    async with running_simulator(options=options) as simulator:
        yield DemoMarket(simulator, record, file)


def _stored(file: Path, request: MarketRequest) -> _Record | None:
    if not file.exists():
        return None
    record = msgspec.json.decode(file.read_bytes(), type=_Record)
    if (record.seed, record.events) != (request.seed, request.events):
        raise SettingsError(
            f"{file.parent} holds a simulation with --seed {record.seed} --events {record.events}; "
            "give the same, or another --data-dir"
        )
    return record
