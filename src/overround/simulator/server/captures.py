"""Recorded single-event responses, read from a directory."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from overround.catalogue import load_catalogue
from overround.errors import FetchError
from overround.ports import Bookmaker, Normaliser, Recording

# Before any kick-off, so that only the body itself says whether the event had started.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class LeftOut(msgspec.Struct, frozen=True):
    """A file that is not served, and why."""

    name: str
    reason: str


class Captures(msgspec.Struct, frozen=True, kw_only=True):
    """Recordings by bookmaker's slug, in the order of their file names, and the files that are not used."""

    recordings: Mapping[str, tuple[Recording, ...]]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def earliest_kickoff(self) -> datetime | None:
        """Return when the first recorded event starts; None without recordings."""
        kickoffs = (recording.listing.kickoff for entries in self.recordings.values() for recording in entries)
        return min(kickoffs, default=None)


class _UnusableFileError(Exception):
    """A file is not served; the message says why."""


def default_recordings_dir() -> Path:
    """Return the folder of the recordings that ship with the package."""
    return Path(__file__).resolve().parents[1] / "recordings"


def load_recordings(directory: Path, bookmakers: Mapping[str, Bookmaker]) -> Captures:
    """Read the files `<bookmaker>_*.json` of a directory, decoded by the bookmakers themselves.

    Left out are files of no known bookmaker, bodies that are no single-event response, bodies that
    say nothing complete about the time before kick-off (live, ended), and a second body of one event.

    Raises:
        OSError: a file cannot be read.
    """
    catalogue = load_catalogue()
    normalisers = {slug: bookmaker.normaliser(catalogue) for slug, bookmaker in bookmakers.items()}
    by_event: dict[str, dict[str, Recording]] = {slug: {} for slug in bookmakers}
    left_out = []
    for path in sorted(directory.glob("*.json")):
        slug = path.name.partition("_")[0]
        try:
            recording = _recording(path, normalisers.get(slug))
            _add(recording, by_event[slug])
        except _UnusableFileError as error:
            left_out.append(LeftOut(path.name, str(error)))
    recordings = {slug: tuple(events.values()) for slug, events in by_event.items()}
    return Captures(recordings=recordings, left_out=tuple(left_out))


def _recording(path: Path, normaliser: Normaliser | None) -> Recording:
    if normaliser is None:
        raise _UnusableFileError("of no installed bookmaker")
    body = path.read_bytes()
    try:
        offer = normaliser.normalise(body, _LONG_AGO)
    except FetchError as error:
        raise _UnusableFileError(f"no single-event response: {error}") from error
    if not offer.complete:
        raise _UnusableFileError("not complete for the time before kick-off: live, ended, or damaged")
    return Recording(name=path.name, body=body, listing=offer.listing)


def _add(recording: Recording, events: dict[str, Recording]) -> None:
    earlier = events.setdefault(recording.listing.listing_id, recording)
    if earlier is not recording:
        raise _UnusableFileError(f"of the same event as {earlier.name}")
