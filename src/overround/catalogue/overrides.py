"""The user's own mapping file: further mappings, or other ones, without a release.

It is TOML, one entry for each market id as in the mapping files of the bookmakers, with two more fields:

    [[market]]
    bookmaker = "bet9ja"
    sport = "football"
    id = "S_NEW"
    market = "total_goals"
    specifiers = { line = "line" }
    outcomes = { O = "over", U = "under" }

The entries of an id replace all that the release has for that id.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from overround.errors import CatalogueError

_HEADER = re.compile(r"^\s*\[\[\s*market\s*\]\]\s*(#.*)?$")
_SYNTAX = re.compile(r"(?P<reason>.*) \(at (line (?P<line>\d+), column \d+|end of document)\)")


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the user's file, not validated yet but for whom it is; `place` is its "file:line"."""

    place: str
    bookmaker: str
    sport: str
    fields: Mapping[str, Any]


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of the user's file."""

    entries: tuple[Override, ...] = ()

    def of(self, bookmaker: str, sport: str) -> tuple[Override, ...]:
        """Return the entries of a bookmaker and a sport."""
        return tuple(entry for entry in self.entries if (entry.bookmaker, entry.sport) == (bookmaker, sport))

    def sports(self, bookmaker: str) -> frozenset[str]:
        """Return the sports that a bookmaker has entries for."""
        return frozenset(entry.sport for entry in self.entries if entry.bookmaker == bookmaker)


NO_OVERRIDES = Overrides()


def read_overrides(path: Path) -> Overrides:
    """Read the user's mapping file.

    Raises:
        CatalogueError: it cannot be read or is not of this shape; the file and the line are named.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: {error}") from error
    return parse_overrides(str(path), text)


def parse_overrides(name: str, text: str) -> Overrides:
    """Return the entries of a mapping file's text; `name` is for the error messages.

    Raises:
        CatalogueError: the text is not of this shape; the line is named.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.fullmatch(str(error))
        line = (found and found["line"]) or len(text.splitlines())
        raise CatalogueError(f"{name}:{line}: {found['reason'] if found else error}") from error
    entries = content.pop("market", [])
    if content or not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise CatalogueError(f"{name}:1: the file holds [[market]] entries and nothing else")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    places = [f"{name}:{line}" for line in lines] if len(lines) == len(entries) else [name] * len(entries)
    return Overrides(entries=tuple(_override(place, entry) for place, entry in zip(places, entries, strict=True)))


def _override(place: str, entry: dict[str, Any]) -> Override:
    fields = dict(entry)
    bookmaker, sport = fields.pop("bookmaker", None), fields.pop("sport", None)
    if not isinstance(bookmaker, str) or not isinstance(sport, str):
        raise CatalogueError(f"{place}: state the bookmaker and the sport")
    return Override(place=place, bookmaker=bookmaker, sport=sport, fields=MappingProxyType(fields))
