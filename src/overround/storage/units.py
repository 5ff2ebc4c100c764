"""Batches taken apart into the units that fail or pass alone: one row's worth each."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType

import msgspec

from overround.records.batch import (
    ConfirmedSnapshot,
    EventScrapeStatus,
    ListingWriteData,
    ScrapeRun,
    SnapshotWriteData,
    WriteBatch,
)
from overround.records.event import Event
from overround.records.writing import StampedBatch
from overround.storage.batch_codec import decode_batch, decode_snapshot

Content = SnapshotWriteData | ConfirmedSnapshot | Event | ListingWriteData | EventScrapeStatus | ScrapeRun


class UnitKind(StrEnum):
    """What a unit is; `BATCH` is one whose bytes could not be read, and stays whole."""

    EVENT = "event"
    LISTING = "listing"
    RUN = "run"
    STATUS = "status"
    SNAPSHOT = "snapshot"
    CONFIRMATION = "confirmation"
    BATCH = "batch"


class PayloadFormat(StrEnum):
    """How a dead letter's payload is to be read."""

    MESSAGEPACK = "msgpack"  # a unit, or the batch as the journal held it
    TEXT = "text"  # what no format can hold, as Python shows it; for people


# In the order in which a transaction writes them.
_FIELDS: Mapping[UnitKind, str] = MappingProxyType(
    {
        UnitKind.EVENT: "events",
        UnitKind.LISTING: "listings",
        UnitKind.RUN: "run",
        UnitKind.STATUS: "statuses",
        UnitKind.SNAPSHOT: "snapshots",
        UnitKind.CONFIRMATION: "confirmed",
    }
)
_TYPES: Mapping[UnitKind, type[Content]] = MappingProxyType(
    {
        UnitKind.EVENT: Event,
        UnitKind.LISTING: ListingWriteData,
        UnitKind.RUN: ScrapeRun,
        UnitKind.STATUS: EventScrapeStatus,
        UnitKind.SNAPSHOT: SnapshotWriteData,
        UnitKind.CONFIRMATION: ConfirmedSnapshot,
    }
)


class Placed(msgspec.Struct, frozen=True):
    """A batch as it is merged: `position` is that of the journal's batch among those of the transaction."""

    position: int
    stamped: StampedBatch

    @property
    def retried(self) -> bool:
        """Tell whether the batch brings back a dead letter."""
        return self.stamped.batch.dead_letter is not None


class Unit(msgspec.Struct, frozen=True, eq=False):
    """One unit of a batch; without content it is the whole, unreadable batch."""

    placed: Placed
    kind: UnitKind
    content: Content | None = None

    @property
    def event_id(self) -> int | None:
        """Return the event that the unit is about, if one."""
        content = self.content.listing if isinstance(self.content, ListingWriteData) else self.content
        return getattr(content, "sr_id", None)

    @property
    def bookmaker(self) -> str:
        """Return the bookmaker that the unit is about; empty if none."""
        content = self.content.listing if isinstance(self.content, ListingWriteData) else self.content
        return getattr(content, "bookmaker", "")


def blamed(unit: Unit) -> str:
    """Return the bookmaker whose content a unit is; an event is the content of the one that names it so."""
    if unit.bookmaker or not isinstance(unit.content, Event):
        return unit.bookmaker
    event = unit.content
    listings = [one.listing for one in unit.placed.stamped.batch.listings if one.listing.sr_id == event.sr_id]
    named = (one.bookmaker for one in listings if (one.home, one.away) == (event.home, event.away))
    return next(named, listings[0].bookmaker if len(listings) == 1 else "")


def unit_counts(batches: Iterable[WriteBatch]) -> Counter[str]:
    """Return how many units there are of each bookmaker; those of none count under an empty name."""
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update(one.bookmaker for one in batch.snapshots)
        counts.update(one.bookmaker for one in batch.confirmed)
        counts.update(one.bookmaker for one in batch.statuses)
        counts.update(one.listing.bookmaker for one in batch.listings)
        counts[""] += len(batch.events) + (batch.run is not None)
    return counts


def without(batch: WriteBatch, bookmakers: Collection[str]) -> WriteBatch:
    """Return a batch without the content of some bookmakers; events and run stay, for they are of no single one."""
    return _selected(batch, lambda bookmaker: bookmaker not in bookmakers)


def part_of(batch: WriteBatch, bookmaker: str) -> WriteBatch | None:
    """Return what a batch has of one bookmaker; None where that is nothing."""
    bare = msgspec.structs.replace(batch, events=(), run=None)
    part = _selected(bare, lambda other: other == bookmaker)
    return part if part.snapshots or part.confirmed or part.statuses or part.listings else None


def _selected(batch: WriteBatch, chosen: Callable[[str], bool]) -> WriteBatch:
    return msgspec.structs.replace(
        batch,
        snapshots=tuple([one for one in batch.snapshots if chosen(one.bookmaker)]),
        confirmed=tuple([one for one in batch.confirmed if chosen(one.bookmaker)]),
        statuses=tuple([one for one in batch.statuses if chosen(one.bookmaker)]),
        listings=tuple([one for one in batch.listings if chosen(one.listing.bookmaker)]),
    )


def units_of(batches: Iterable[Placed]) -> list[Unit]:
    """Return all units, batch by batch, each batch's in the order of writing."""
    return [
        Unit(placed, kind, content)
        for placed in batches
        for kind in _FIELDS
        for content in _contents(placed.stamped.batch, kind)
    ]


def regrouped(units: Iterable[Unit]) -> list[StampedBatch]:
    """Return batches that hold these units alone, each with the place in the order that it had."""
    by_batch = groupby(units, key=lambda unit: unit.placed.position)
    return [_batch_of(tuple(group)) for _, group in by_batch]


def payload_of(unit: Unit) -> tuple[PayloadFormat, bytes]:
    """Return a unit as bytes that `batch_from` reads."""
    if unit.content is None:
        return PayloadFormat.MESSAGEPACK, unit.placed.stamped.body
    try:
        return PayloadFormat.MESSAGEPACK, msgspec.msgpack.encode(unit.content)
    except (ValueError, TypeError, OverflowError):
        return PayloadFormat.TEXT, repr(unit.content).encode("utf-8", "backslashreplace")


def content_from(kind: UnitKind, payload: bytes) -> Content | WriteBatch:
    """Return the unit, or the batch, that a payload holds.

    Raises:
        msgspec.DecodeError: it cannot be read.
    """
    if kind is UnitKind.BATCH:
        return decode_batch(payload)
    if kind is UnitKind.SNAPSHOT:
        return decode_snapshot(payload)
    content: Content = msgspec.msgpack.decode(payload, type=_TYPES[kind])
    return content


def batch_from(kind: UnitKind, payload: bytes, run: int, batch_index: int) -> WriteBatch:
    """Return the batch that brings a payload back: of one unit or, of an unreadable batch, all that it holds.

    Raises:
        msgspec.DecodeError: it cannot be read.
    """
    content = content_from(kind, payload)
    if isinstance(content, WriteBatch):
        return content
    return _with_contents(WriteBatch(scrape_run_id=run, batch_index=batch_index), kind, [content])


def _contents(batch: WriteBatch, kind: UnitKind) -> Sequence[Content]:
    held = getattr(batch, _FIELDS[kind])
    if kind is UnitKind.RUN:
        return () if held is None else (held,)
    contents: Sequence[Content] = held
    return contents


def _with_contents(batch: WriteBatch, kind: UnitKind, contents: Sequence[Content]) -> WriteBatch:
    held = contents[0] if kind is UnitKind.RUN else tuple(contents)
    return msgspec.structs.replace(batch, **{_FIELDS[kind]: held})


def _batch_of(units: Sequence[Unit]) -> StampedBatch:
    stamped = units[0].placed.stamped
    batch = WriteBatch(scrape_run_id=stamped.batch.scrape_run_id, batch_index=stamped.batch.batch_index)
    for kind, group in groupby(units, key=lambda unit: unit.kind):
        batch = _with_contents(batch, kind, [unit.content for unit in group if unit.content is not None])
    return StampedBatch(epoch=stamped.epoch, seq=stamped.seq, position=stamped.position, batch=batch)
