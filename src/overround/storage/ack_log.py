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

    A line is `generation seq changed_snapshots body_hash`, the hash as in `write_batches`, in hex.
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
            self._descriptor = self._opened()
        except OSError as error:
            raise SettingsError(f"cannot write the log of acknowledged batches: {error}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    async def note(self, entry: JournalEntry, batch: WriteBatch) -> None:
        """Append a batch's line; a failure is logged, since the journal has the batch in any case."""
        line = f"{entry.generation} {entry.seq} {len(batch.snapshots)} {body_hash(entry.body).hex()}\n"
        try:
            async with self._turn:
                await asyncio.to_thread(self._append, line.encode())
        except OSError as error:
            _log.error("ack_log_failed", file=str(self._file), error=str(error))

    def _append(self, line: bytes) -> None:
        if not self._file.exists() or not os.path.samestat(self._file.stat(), os.fstat(self._descriptor)):
            former, self._descriptor = self._descriptor, self._opened()
            os.close(former)
        os.write(self._descriptor, line)
        os.fsync(self._descriptor)

    def _opened(self) -> int:
        """Open the file, which stays open: a shortage of descriptors must not cost lines of the account."""
        return os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
