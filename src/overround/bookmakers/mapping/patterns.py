"""Texts with named places, read and written: `pre:playerprops:{_event}:{_player}:{at_least}`.

A name in braces stands for any text but an empty one, as short as the rest allows; `{at_least:d}` for
digits, and `{at_least:2}` for exactly two of them, so that 9 is written 09. Names that begin with an
underscore are the bookmaker's own.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from string import Formatter

import msgspec

from overround.errors import CatalogueError

OWN = "_"
DIGITS = "d"


class Pattern(msgspec.Struct, frozen=True, dict=True):
    """A text with named places."""

    text: str

    @cached_property
    def _pieces(self) -> tuple[tuple[str, str, str], ...]:
        try:
            parsed = list(Formatter().parse(self.text))
            return tuple((literal, name or "", spec or "") for literal, name, spec, _ in parsed)
        except ValueError as error:
            raise CatalogueError(f"{self.text!r} is no pattern: {error}") from error

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        try:
            parts = [re.escape(literal) + _place(name, spec) for literal, name, spec in self._pieces]
            return re.compile("".join(parts), re.DOTALL)
        except (re.error, ValueError) as error:
            raise CatalogueError(f"{self.text!r} is no pattern: {error}") from error

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its places.

        Raises:
            CatalogueError: it is no pattern.
        """
        return frozenset(self._regex.groupindex)

    def read(self, text: str) -> Mapping[str, str] | None:
        """Return what stands in the places; None for a text that is not of this pattern."""
        found = self._regex.fullmatch(text)
        return found.groupdict() if found else None

    def write(self, values: Mapping[str, str]) -> str:
        """Return the text with these values in its places (KeyError: one is missing)."""
        return "".join(
            literal + (values[name].zfill(_width(spec)) if name else "") for literal, name, spec in self._pieces
        )


def _place(name: str, spec: str) -> str:
    if not name:
        return ""
    texts = {"": ".+?", DIGITS: r"\d+"}.get(spec) or rf"\d{{{_width(spec)}}}"
    return f"(?P<{name}>{texts})"


def _width(spec: str) -> int:
    return int(spec) if spec not in ("", DIGITS) else 0
