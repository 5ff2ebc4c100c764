"""Bookmakers whose rows are held back, because too many of them fail for their content.

A bookmaker beyond its allowance does not keep the others from being written: its further rows go to a table of their
own, whole and in their order, until a trial shows that they can be written.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from overround.db.dead_letters import HELD
from overround.db.error_classes import sqlstate
from overround.ports import Clock
from overround.records.batch import WriteBatch
from overround.records.writing import HeldBookmaker, StampedBatch
from overround.storage.bisection import Allowances, Poison
from overround.storage.units import Placed, Unit, part_of, regrouped, without

TRIAL_SECONDS: Final = 60.0

_MOST_BYTES: Final = 256 << 20
_LONGEST: Final = timedelta(hours=24)
_SAMPLE: Final = 200  # characters

_log = structlog.get_logger(__name__)


class HeldPart(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one bookmaker in one batch; `position` is that of the batch among those of the transaction."""

    bookmaker: str
    position: int
    stamped: StampedBatch
    sqlstate: str
    sample: str

    @property
    def snapshots(self) -> int:
        """Return how many snapshots and confirmations there are."""
        return len(self.stamped.batch.snapshots) + len(self.stamped.batch.confirmed)


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What became of rows that are no longer held, in snapshots and confirmations; `letters` counts all units."""

    rows: int = 0
    applied: int = 0
    dead: int = 0
    letters: int = 0


class _Hold(msgspec.Struct, kw_only=True):
    since: datetime
    tried_at: float  # on the monotonic clock
    sqlstate: str
    sample: str
    rows: int = 0
    bytes: int = 0
    snapshots: int = 0
    inherited: int = 0  # of these, put aside by an earlier process
    tried: datetime | None = None


class Holds:
    """Which bookmakers are held back at present, and what became of their rows since the start.

    Shared by the write handler, which puts rows aside, and by the keeper, which writes them later. `lock` is held
    around each transaction that decides by it.
    """

    def __init__(self, clock: Clock, most_bytes: int = _MOST_BYTES, longest: timedelta = _LONGEST) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._longest = longest
        self._held: dict[str, _Hold] = {}
        self._known = self._begun = False
        self.lock = asyncio.Lock()
        self.allowances = Allowances()
        self.applied = 0
        self.dead = 0
        self.letters = 0
        self.recovered = 0

    async def load(self, connection: asyncpg.Connection) -> None:
        """Read which rows are held back, unless that is known."""
        if self._known:
            return
        for row in await connection.fetch(HELD):
            hold = self._held.get(row["bookmaker"]) or self._found(row)
            hold.rows, hold.bytes, hold.snapshots = row["rows"], row["bytes"], row["snapshots"]
        self._known = self._begun = True

    def doubt(self) -> None:
        """Read again which rows are held back: a commit whose answer was lost may have put some aside."""
        self._known = False

    def _found(self, row: asyncpg.Record) -> _Hold:
        hold = self._held[row["bookmaker"]] = _Hold(
            since=row["since"],
            tried_at=self._clock.monotonic() - TRIAL_SECONDS,
            sqlstate=row["sqlstate"],
            sample=row["sample"],
            inherited=0 if self._begun else row["snapshots"],
        )
        _log.error("rows_still_held", bookmaker=row["bookmaker"], rows=row["rows"], reason=row["sample"])
        return hold

    @property
    def loaded(self) -> bool:
        """Tell whether it is known which rows an earlier process has put aside."""
        return self._begun

    def __contains__(self, bookmaker: object) -> bool:
        """Tell whether a bookmaker's rows are held back."""
        return bookmaker in self._held

    def lately(self) -> frozenset[str]:
        """Return the bookmakers that were found at fault within the time of one trial."""
        limit = self._clock.monotonic() - TRIAL_SECONDS
        return frozenset(slug for slug, hold in self._held.items() if hold.tried is None and hold.tried_at > limit)

    def due(self) -> list[str]:
        """Return the bookmakers whose next trial is due."""
        limit = self._clock.monotonic() - TRIAL_SECONDS
        return [slug for slug, hold in self._held.items() if hold.tried_at <= limit]

    def full(self) -> frozenset[str]:
        """Return the bookmakers for whose rows there is no room any more: they are not to be polled."""
        return frozenset(one.bookmaker for one in self.shown() if one.full)

    def divided(self, work: Sequence[Placed]) -> tuple[list[Placed], list[HeldPart]]:
        """Return what is to be written, and the parts that are held back."""
        if not self._held:
            return list(work), []
        parts = [part for placed in work if not placed.retried for part in self._parts_of(placed)]
        rest = [
            placed
            if placed.retried
            else Placed(placed.position, _with(placed.stamped, without(placed.stamped.batch, self._held)))
            for placed in work
        ]
        return rest, parts

    def spared(self, units: Sequence[Unit], beyond: Mapping[str, Poison]) -> list[HeldPart]:
        """Return the parts of those units that were not tried, since their bookmakers are beyond their allowance."""
        return [
            HeldPart(
                bookmaker=bookmaker,
                position=position,
                stamped=stamped,
                sqlstate=sqlstate(poison.error),
                sample=_sample(poison),
            )
            for bookmaker, poison in beyond.items()
            for position, stamped in _by_position([unit for unit in units if unit.bookmaker == bookmaker])
        ]

    def begin(self, beyond: Mapping[str, Poison]) -> None:
        """Hold back the rows of bookmakers that are beyond their allowance, from the next transaction on."""
        for bookmaker, poison in beyond.items():
            state, sample = sqlstate(poison.error), _sample(poison)
            _log.error("rows_held", bookmaker=bookmaker, sqlstate=state, sample=sample)
            self._held[bookmaker] = _Hold(
                since=self._clock.now(),
                tried_at=self._clock.monotonic(),
                sqlstate=state,
                sample=sample,
            )

    def added(self, parts: Iterable[HeldPart], sizes: Iterable[int]) -> None:
        """Count parts that were put aside, with their bytes."""
        for part, size in zip(parts, sizes, strict=True):
            hold = self._held[part.bookmaker]
            hold.rows += 1
            hold.bytes += size
            hold.snapshots += part.snapshots

    def tried(self, bookmaker: str, error: Exception | None) -> None:
        """Note a trial, and why it failed."""
        hold = self._held.get(bookmaker)
        if hold is None:
            return
        hold.tried, hold.tried_at = self._clock.now(), self._clock.monotonic()
        if error is not None:
            hold.sqlstate = sqlstate(error)

    def released(self, bookmaker: str, size: int, outcome: Released) -> None:
        """Count rows that were written after all, or put into the dead letters."""
        hold = self._held[bookmaker]
        settled = outcome.applied + outcome.dead
        hold.rows -= outcome.rows
        hold.bytes -= size
        hold.snapshots -= settled
        inherited = min(settled, hold.inherited)  # the oldest go first
        hold.inherited -= inherited
        self.recovered += inherited
        self.applied += outcome.applied
        self.dead += outcome.dead
        self.letters += outcome.letters

    def end(self, bookmaker: str) -> None:
        """Hold nothing back any more of a bookmaker, which has its whole allowance again."""
        self._held.pop(bookmaker, None)
        self.allowances.forget(bookmaker)

    @property
    def own_snapshots(self) -> int:
        """Return the snapshots and confirmations that this process has put aside, and that wait."""
        return sum(hold.snapshots - hold.inherited for hold in self._held.values())

    def shown(self) -> tuple[HeldBookmaker, ...]:
        """Return how each bookmaker's held rows stand."""
        now = self._clock.now()
        return tuple(
            HeldBookmaker(
                bookmaker=bookmaker,
                since=hold.since,
                sqlstate=hold.sqlstate,
                sample=hold.sample,
                rows=hold.rows,
                bytes=hold.bytes,
                snapshots=hold.snapshots,
                tried_at=hold.tried,
                full=hold.bytes >= self._most_bytes or now - hold.since >= self._longest,
            )
            for bookmaker, hold in sorted(self._held.items())
        )

    def _parts_of(self, placed: Placed) -> Iterator[HeldPart]:
        for bookmaker, hold in self._held.items():
            part = part_of(placed.stamped.batch, bookmaker)
            if part is not None:
                yield HeldPart(
                    bookmaker=bookmaker,
                    position=placed.position,
                    stamped=_with(placed.stamped, part),
                    sqlstate=hold.sqlstate,
                    sample=hold.sample,
                )


def _with(stamped: StampedBatch, batch: WriteBatch) -> StampedBatch:
    return msgspec.structs.replace(stamped, batch=batch)


def _by_position(units: Sequence[Unit]) -> list[tuple[int, StampedBatch]]:
    positions = list(dict.fromkeys(unit.placed.position for unit in units))
    return list(zip(positions, regrouped(units), strict=True))


def _sample(poison: Poison) -> str:
    event = f" of event {poison.unit.event_id}" if poison.unit.event_id is not None else ""
    reason = str(poison.error).partition("\n")[0] or type(poison.error).__name__
    return f"{poison.unit.kind.value}{event}: {reason}"[:_SAMPLE]
