"""Rows in the binary format of PostgreSQL's COPY.

asyncpg's own encoder goes through a codec call an array element, which costs more than all of the
database's work on packed rows; here an array of numbers that are packed already is a handful of slices.
Format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format), arrays as `array_recv` reads them.
"""

import struct
from collections.abc import Sequence
from datetime import datetime

from overround.records.batch import microseconds

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_INT2, _INT4, _TEXT = 21, 23, 25  # type oids, fixed in PostgreSQL's catalogue

_row_head = struct.Struct(">h").pack
_field_head = struct.Struct(">i").pack
_smallint = struct.Struct(">ih").pack
_integer = struct.Struct(">ii").pack
_bigint = struct.Struct(">iq").pack
_array_head = struct.Struct(">6i").pack
_ARRAY_HEAD = 20


def row(fields: Sequence[bytes]) -> bytes:
    """Return one row of encoded fields."""
    return _row_head(len(fields)) + b"".join(fields)


def smallint(value: int) -> bytes:
    """Return a smallint field."""
    return _smallint(2, value)


def integer(value: int) -> bytes:
    """Return an integer field."""
    return _integer(4, value)


def bigint(value: int) -> bytes:
    """Return a bigint field."""
    return _bigint(8, value)


def raw(value: bytes) -> bytes:
    """Return a bytea or uuid field."""
    return _field_head(len(value)) + value


def instant(value: datetime) -> bytes:
    """Return a timestamptz field; the time must be aware."""
    return _bigint(8, microseconds(value))


class _TextElements(dict[str, bytes]):
    def __missing__(self, value: str) -> bytes:
        text = value.encode()
        self[value] = encoded = _field_head(len(text)) + text
        return encoded


class TextArrays:
    """Encodes text[] fields; remembers the elements, which repeat, so one is for one load of rows."""

    def __init__(self) -> None:
        self._known = _TextElements()

    def encode(self, values: Sequence[str]) -> bytes:
        """Return a text[] field."""
        body = b"".join(map(self._known.__getitem__, values))
        return _head(_TEXT, len(values), len(body)) + body


def smallints(packed: bytes) -> bytes:
    """Return a smallint[] field of packed, big-endian numbers."""
    return _fixed(_INT2, 2, packed)


def integers(packed: bytes) -> bytes:
    """Return an integer[] field of packed, big-endian numbers."""
    return _fixed(_INT4, 4, packed)


def _fixed(oid: int, width: int, packed: bytes) -> bytes:
    """Put each element's length before it: byte by byte of all elements at once, no number becomes an object."""
    count = len(packed) // width
    step = 4 + width
    body = bytearray(_field_head(width) + bytes(width)) * count
    for place in range(width):
        body[4 + place :: step] = packed[place::width]
    return _head(oid, count, len(body)) + body


def _head(oid: int, count: int, size: int) -> bytes:
    if count == 0:
        return struct.pack(">4i", 12, 0, 0, oid)
    return _array_head(_ARRAY_HEAD + size, 1, 0, oid, count, 1)
