"""How far the database has a journal: what it confirmed, and what it says now, which may be less."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
import structlog

from overround.ports import Clock, Journal, WriteHandler
from overround.records.writing import Generation, HistoryGap

_REMEMBERED = 50  # generations
_NOTED_EVERY = 1.0  # seconds

_log = structlog.get_logger(__name__)


class ConfirmedWatermark(msgspec.Struct, frozen=True):
    """Up to which seq the database confirmed a generation, and when it last did."""

    generation: Generation
    seq: int
    at: datetime


_NOTES = msgspec.json.Decoder(list[ConfirmedWatermark])


class Watermarks:
    """The generations of a journal against their rows in the database.

    A database may forget: an older copy takes its place, a standby that lagged is promoted, or it does not wait for
    its disk. Then it says less than it confirmed. What it forgot is read again as far as the journal has it; what the
    journal no longer has is a gap of the history. The confirmations are noted beside the journal, for the next start.
    """

    def __init__(
        self, journal: Journal, handler: WriteHandler, clock: Clock, on_gap: Callable[[], None] | None = None
    ) -> None:
        """Watch a journal that is open; `on_gap` is called when something is lost that only memory still has."""
        self._journal = journal
        self._handler = handler
        self._clock = clock
        self._on_gap = on_gap
        self._confirmed: dict[uuid.UUID, ConfirmedWatermark] = {}
        self._noted_at = float("-inf")
        self.went_back_at: datetime | None = None
        self.open_gaps = 0
        self.epochs: Mapping[uuid.UUID, int] = {}
        """The numbers of the generations that are there; empty before the database was first asked."""

    async def recall(self) -> None:
        """Read what an earlier process noted."""
        text = await self._journal.noted()
        try:
            noted = _NOTES.decode(text) if text else []
        except msgspec.DecodeError as error:
            _log.warning("journal_note_unreadable", error=str(error))
            return
        self._confirmed = {one.generation.id: one for one in noted} | self._confirmed

    async def remembered(self) -> int:
        """Return the position up to which the database had everything, by what was noted."""
        live = list(self._journal.generations())
        return await self._position(live, {one.id: self.confirmed(one.id) for one in live})

    def confirmed(self, generation: uuid.UUID) -> int:
        """Return the seq up to which the database once had a generation."""
        known = self._confirmed.get(generation)
        return 0 if known is None else known.seq

    async def note(self, generation: uuid.UUID, seq: int, *, at_once: bool = False) -> None:
        """Take note of what was committed; on disk at most once a second, for the files tell nearly all of it."""
        whose = next((one for one in self._journal.generations() if one.id == generation), Generation(generation))
        self._confirmed[generation] = ConfirmedWatermark(whose, max(seq, self.confirmed(generation)), self._clock.now())
        if at_once or self._clock.monotonic() - self._noted_at >= _NOTED_EVERY:
            await self.save()

    async def save(self) -> None:
        """Write the note."""
        self._noted_at = self._clock.monotonic()
        newest = sorted(self._confirmed.values(), key=lambda one: one.generation.base)[-_REMEMBERED:]
        await self._journal.note(msgspec.json.encode(newest))

    async def look(self) -> int:
        """Compare with the database; return the position up to which it has everything, and read on from there.

        Raises what the handler raises.
        """
        live = list(self._journal.generations())
        former = [one.generation for key, one in self._confirmed.items() if key not in {each.id for each in live}]
        found = await self._handler.register([one.id for one in live])
        gone = await self._handler.watermarks([one.id for one in former])
        self.open_gaps = await self._handler.open_gaps()
        self.epochs = {key: mark.epoch for key, mark in found.items()}
        marks = {key: mark.applied for key, mark in {**gone, **found}.items()}
        behind = [one for one in (*former, *live) if marks.get(one.id, 0) < self.confirmed(one.id)]
        if behind:
            await self._take_back(behind, marks)
        for one in live:
            if marks[one.id]:
                await self.note(one.id, marks[one.id])
        return await self._position(live, marks)

    async def _take_back(self, behind: Sequence[Generation], marks: Mapping[uuid.UUID, int]) -> None:
        """Read again what the database has forgotten, and record what cannot be."""
        self.went_back_at = self._clock.now()
        gaps = [gap for one in behind if (gap := await self._gap(one, marks.get(one.id, 0))) is not None]
        for one in behind:
            found, confirmed = marks.get(one.id, 0), self.confirmed(one.id)
            _log.error("watermark_went_back", generation=str(one.id), found=found, confirmed=confirmed)
        self._handler.forget()
        await self._journal.rewind(min(one.base + marks.get(one.id, 0) for one in behind))
        if gaps:
            await self._handler.record_gaps(gaps)
            self.open_gaps += len(gaps)
            _log.error("history_gap", gaps=len(gaps), batches=sum(gap.last_seq - gap.first_seq + 1 for gap in gaps))
        for one in behind:
            self._confirmed.pop(one.id)
        await self.save()
        if gaps and self._on_gap is not None:
            self._on_gap()

    async def _gap(self, generation: Generation, found: int) -> HistoryGap | None:
        """Return what the database forgot of a generation and the journal does not have; None where it has all."""
        known = self._confirmed[generation.id]
        there = await self._journal.first_after(generation.base + found)
        last = known.seq if there is None else min(known.seq, there - generation.base - 1)
        if last <= found:
            return None
        return HistoryGap(
            generation=generation.id, first_seq=found + 1, last_seq=last, until=known.at, found_at=self._clock.now()
        )

    async def _position(self, live: Sequence[Generation], marks: Mapping[uuid.UUID, int]) -> int:
        """Return the position of the last entry that the database has with all before it."""
        position = 0
        for one, following in zip(live, [*live[1:], None], strict=True):
            position = max(position, one.base + marks[one.id])
            there = await self._journal.first_after(position)
            if following is None or (there is not None and there <= following.base):
                break
            position = following.base
        return position
