"""Arrays of instants as PostgreSQL sends them, read many times faster than element by element.

The driver makes a `datetime` of every element, half a million at a start, of which nearly all are equal. A query
that asks for `array_send(column)` gets the array's bytes instead.
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's, from which it counts microseconds
_HEADER = 20  # bytes of a one-dimensional array that has elements; an empty one has fewer
_ELEMENT = 12  # its length in four bytes, then eight


class Instants:
    """Reads such arrays; equal instants are one object."""

    def __init__(self) -> None:
        self._known: dict[int, datetime] = {}

    def read(self, packed: bytes) -> Sequence[datetime]:
        """Return the instants of an array of timestamptz without nulls."""
        number = max(0, len(packed) - _HEADER) // _ELEMENT
        counted = struct.unpack(f">{_HEADER}x" + "4xq" * number, packed) if number else ()
        for one in {*counted}.difference(self._known):
            self._known[one] = _EPOCH + timedelta(microseconds=one)
        return [self._known[one] for one in counted]
