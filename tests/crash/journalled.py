"""What a dead service's journal holds, against the first answer of the next one."""

import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from overround.catalogue import load_catalogue
from overround.clock import SystemClock
from overround.records.batch import SnapshotWriteData
from overround.records.odds import price_text, shown_price
from overround.storage.batch_codec import read_entry
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.segmented import SegmentedJournal

_ROOM = 1 << 40

Journalled = Mapping[tuple[int, str], SnapshotWriteData]


async def journalled_states(data_dir: Path) -> Journalled:
    """Return the newest snapshot of each (event, bookmaker) in the journal of a process that is no more.

    A copy is read: the journal stays as the process left it.
    """
    with tempfile.TemporaryDirectory(prefix="overround-crash-") as name:
        copy = Path(name) / "journal"
        shutil.copytree(data_dir / "journal", copy)
        journal = SegmentedJournal(LocalDisk(copy), SystemClock(), max_bytes=_ROOM)
        await journal.open()
        newest: dict[tuple[int, str], SnapshotWriteData] = {}
        seq = 0
        while entries := await journal.read(seq, 100, wait=False):
            for one in (snapshot for entry in entries for snapshot in read_entry(entry).batch.snapshots):
                known = newest.setdefault((one.sr_id, one.bookmaker), one)
                newest[one.sr_id, one.bookmaker] = max(known, one, key=lambda snapshot: snapshot.captured_at)
            seq = entries[-1].position
        await journal.close()
        return newest


def behind(answer: Any, journalled: Journalled) -> list[str]:
    """Return which of the journalled states an answer of /api/events does not show, or shows otherwise.

    What was scraped since then is newer, and is no fault.
    """
    events = {event["sr_id"]: event for event in answer["events"]}
    faults = []
    for (sr_id, slug), snapshot in journalled.items():
        event = events.get(sr_id)
        confirmed = event and event["bookmakers"][slug]["confirmed_at"]
        at = datetime.fromisoformat(confirmed) if confirmed else None
        if at is None or at < snapshot.captured_at:
            faults.append(f"event {sr_id} at {slug} is of {confirmed}, journalled was {snapshot.captured_at}")
        elif at == snapshot.captured_at and not _equal(event, slug, snapshot):
            faults.append(f"event {sr_id} at {slug} has other prices than were journalled")
    return faults


def _equal(event: Any, slug: str, snapshot: SnapshotWriteData) -> bool:
    catalogue = load_catalogue()
    journalled = {}
    held = [(one.market, one.specifiers, one.prices) for one in snapshot.markets]
    held += [(one.market, one.specifiers, one.prices) for one in snapshot.unchanged.rows(snapshot.captured_at)]
    for number, specifiers, prices in held:
        market = catalogue.numbered(number)
        assert market is not None
        key = f"{market.key}:{specifiers}" if specifiers else market.key
        journalled[key] = [None if (shown := shown_price(price)) is None else price_text(shown) for price in prices]
    cells = {market["key"]: market["bookmakers"][slug] for market in event["markets"]}
    return all(
        [outcome["price"] for outcome in cell["outcomes"]] == journalled.get(key, [])
        for key, cell in cells.items()
        if not cell["state"].startswith("not_")
    )
