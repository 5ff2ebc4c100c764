"""Captured single-event responses of any bookmaker, read from files and directories."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from overround.bookmakers.registry import load_bookmakers, refuse_unknown_bookmakers
from overround.catalogue import Catalogue, load_catalogue
from overround.cli.offer_view import offer_before_kickoff
from overround.errors import FetchError, OverroundError
from overround.ports import Normaliser
from overround.records.event import Offer


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what a bookmaker's normaliser makes of it; `offer` is None for one that is no such response."""

    path: Path
    offer: Offer | None
    reason: str = ""


class CaptureReader:
    """Reads captures with the mappings of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Build all normalisers.

        Raises:
            CatalogueError: a mapping does not fit the catalogue.
        """
        bookmakers = load_bookmakers()
        refuse_unknown_bookmakers(catalogue, bookmakers)
        self.catalogue = catalogue
        self._normalisers: Mapping[str, Normaliser] = {
            slug: bookmaker.normaliser(catalogue) for slug, bookmaker in bookmakers.items()
        }

    def read(self, path: Path) -> Capture:
        """Normalise a file; the bookmaker is the one that its name begins with, else whose format it is."""
        try:
            body = path.read_bytes()
        except OSError as error:
            return Capture(path=path, offer=None, reason=error.strerror or str(error))
        named = path.name.partition("_")[0]
        candidates = [named] if named in self._normalisers else list(self._normalisers)
        reason = ""
        for slug in candidates:
            try:
                return Capture(path=path, offer=offer_before_kickoff(self._normalisers[slug], body))
            except FetchError as error:
                reason = reason or str(error)
        return Capture(path=path, offer=None, reason=reason)


def reader(mapping_file: Path | None = None) -> CaptureReader:
    """Return a reader with the catalogue that ships, and the user's mapping file if there is one.

    Raises:
        CatalogueError: the file is not valid; it and the line are named.
    """
    return CaptureReader(load_catalogue(mapping_file))


def capture_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, and those named *.json below the directories.

    Raises:
        OverroundError: there is no such file or directory.
    """
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.json"))
        elif path.is_file():
            yield path
        else:
            raise OverroundError(f"{path}: no such file or directory")
