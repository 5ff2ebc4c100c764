"""How much room there is where we write."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from overround.db.server_home import home_of
from overround.settings import Settings

LEAST_FREE = 2**30  # bytes: about what a journal may hold


class DiskRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The room on a place's disk, in bytes."""

    place: Path
    free: int

    @property
    def short(self) -> bool:
        """Tell whether it will soon be too little."""
        return self.free < LEAST_FREE


def places_of(settings: Settings) -> tuple[Path, ...]:
    """Return where a service with these settings writes: its data directory, and the embedded server's own."""
    if settings.database_url is not None:
        return (settings.data_dir,)
    home = home_of(settings.data_dir).directory
    return (settings.data_dir,) if home.is_relative_to(settings.data_dir.resolve()) else (settings.data_dir, home)


def disk_room(places: Iterable[Path]) -> list[DiskRoom]:
    """Return the room of each place that exists."""
    return [DiskRoom(place=place, free=shutil.disk_usage(place).free) for place in places if place.exists()]
