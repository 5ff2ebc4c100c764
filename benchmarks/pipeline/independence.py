"""Does storing a batch take longer where the database is slow, or away? Two services, with and without a queue."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.pipeline.records import CycleRecord, Extent, ServiceOptions, blocking
from benchmarks.pipeline.results import Condition
from benchmarks.pipeline.stage import (
    Database,
    MarketTime,
    ServiceProcess,
    running_bookmakers,
    running_measured,
    running_server,
    service_options,
)
from overround.errors import OverroundError

_EVENTS = 200
_SLOWED: Sequence[tuple[str, float]] = (
    ("commits as they are", 0.0),
    ("commits 100 ms slower", 0.1),
    ("commits 1,000 ms slower", 1.0),
)
_STOPPED = "stopped"
_SETTLING = 6  # cycles, at most


class _Side(msgspec.Struct, frozen=True, kw_only=True):
    """One service on a database of its own, and its cycles by condition."""

    database: Database
    service: ServiceProcess
    cycles: dict[str, list[CycleRecord]]


async def independence(extent: Extent, directory: Path) -> Sequence[Condition]:
    """Run warm cycles under each condition in turn, of both services, as often as there are repetitions."""
    extent = msgspec.structs.replace(extent, events=min(extent.events, _EVENTS))
    async with running_bookmakers(extent) as simulator:
        market = MarketTime(simulator)

        def options(database: Database, data_dir: Path, *, asynchronous: bool = True) -> ServiceOptions:
            return service_options(
                *(simulator, database, data_dir, extent, market.instant(0)),
                asynchronous=asynchronous,
                whole_batches=True,
            )

        with_queue, without = directory / "with-queue", directory / "without"
        async with (
            running_server(with_queue) as first,
            running_server(without) as second,
            running_measured(options(first, with_queue)) as queued,
            running_measured(options(second, without, asynchronous=False)) as inline,
        ):
            sides = (
                _Side(database=first, service=queued, cycles={}),
                _Side(database=second, service=inline, cycles={}),
            )
            comparison = _Comparison(market, sides)
            await comparison.settle()
            for _ in range(extent.repetitions):
                await comparison.round()
    return comparison.conditions()


class _Comparison:
    """Runs both sides through the conditions, one cycle each, always on the same tick."""

    def __init__(self, market: MarketTime, sides: tuple[_Side, _Side]) -> None:
        self._market = market
        self._sides = sides

    async def round(self) -> None:
        """Run one cycle of each side under each condition."""
        for name, seconds in _SLOWED:
            for side in self._sides:
                await side.database.slow_commits(seconds)
            await self._both(name)
        for side in self._sides:
            await side.database.slow_commits(0)
            await side.database.stop()
        await self._both(_STOPPED, drain=False)
        for side in self._sides:
            await side.database.start()
        await self.settle()

    async def settle(self) -> None:
        """Run cycles that do not count until both sides have stored everything, and one more.

        Raises:
            OverroundError: they do not come to that.
        """
        for _ in range(_SETTLING):
            records = await self._both("settling")
            if all(record.status == "completed" for record in records):
                await self._both("settling")
                return
        raise OverroundError("a service does not store, though its database runs")

    async def _both(self, name: str, *, drain: bool = True) -> Sequence[CycleRecord]:
        at = await self._market.next()
        records = []
        for side in self._sides:
            record = await side.service.cycle(at)
            side.cycles.setdefault(name, []).append(record)
            records.append(record)
            if drain:
                await side.service.drain()
        return records

    def conditions(self) -> Sequence[Condition]:
        """Return the table's rows."""
        queued, inline = self._sides
        return [
            Condition(
                name=name,
                asynchronous=blocking(queued.cycles[name]),
                synchronous=blocking(inline.cycles[name]),
                failed=sum(one.not_stored for one in inline.cycles[name]),
            )
            for name in (*(name for name, _ in _SLOWED), _STOPPED)
        ]
