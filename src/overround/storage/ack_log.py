"""A line for each acknowledged batch, in a file of its own: the other side of the account in crash tests.

Apart because only crash tests switch it on.
"""

import asyncio
import os
from pathlib import Path

import structlog

from overround.errors import SettingsError
from overround.records.batch import WriteBatch
from overround.records.writing import JournalEntry
from overround.storage.batch_codec import body_hash

_log = structlog.get_logger(__name__)


class AckLog:
    """Hears of accepted batches; each is on the disk before `enqueue` returns.

    A line is `epoch seq changed_snapshots body_hash`, the hash as in `write_batches`, in hex.
    """

    def __init__(self, file: Path) -> None:
        """Append to a file, which is made if need be.

        Raises:
            SettingsError: it cannot be written.
        """
        self._file = file
        self._turn = asyncio.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise SettingsError(f"cannot write the log of acknowledged batches: {error}") from error

    async def note(self, entry: JournalEntry, batch: WriteBatch) -> None:
        """Append a batch's line; a failure is logged, since the journal has the batch in any case."""
        line = f"{entry.epoch} {entry.seq} {len(batch.snapshots)} {body_hash(entry.body).hex()}\n"
        try:
            async with self._turn:
                await asyncio.to_thread(self._append, line.encode())
        except OSError as error:
            _log.error("ack_log_failed", file=str(self._file), error=str(error))

    def _append(self, line: bytes) -> None:
        with self._file.open("ab", buffering=0) as log:
            log.write(line)
            os.fsync(log.fileno())
