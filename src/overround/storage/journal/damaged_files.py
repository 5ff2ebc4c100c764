"""The files of the journal that were damaged: kept for people to look at, within bounds."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from overround.ports import DiskStorage
from overround.storage.journal.disk import damaged_files

MOST_FILES = 10
MOST_BYTES = 256 << 20


class DamagedFiles(msgspec.Struct, frozen=True):
    """How many files were put away, and their bytes."""

    files: int = 0
    bytes: int = 0

    @classmethod
    def on(cls, disk: DiskStorage) -> "DamagedFiles":
        """Look at a disk."""
        sizes = disk.damaged()
        return cls(len(sizes), sum(sizes))

    @property
    def over(self) -> bool:
        """Tell whether more was put away than may be kept."""
        return self.files > MOST_FILES or self.bytes > MOST_BYTES

    def has_room_for(self, size: int) -> bool:
        """Tell whether a file of so many bytes may be put away too."""
        return self.files < MOST_FILES and self.bytes + size <= MOST_BYTES


def clear(folder: Path) -> Sequence[Path]:
    """Delete the damaged files that the journal of a directory put away; return which."""
    files = damaged_files(folder)
    for file in files:
        file.unlink()
    return files
