"""Rows in the binary format of PostgreSQL's COPY.

asyncpg's own encoder goes through a codec call an array element, which costs more than all of the
database's work on packed rows; here an array of integers is one `struct.pack`.
Format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format), arrays as `array_recv` reads them.
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_INT2, _INT4, _TEXT, _TIMESTAMPTZ = 21, 23, 25, 1184  # type oids, fixed in PostgreSQL's catalogue
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_row_head = struct.Struct(">h").pack
_field_head = struct.Struct(">i").pack
_smallint = struct.Struct(">ih").pack
_bigint = struct.Struct(">iq").pack
_array_head = struct.Struct(">6i").pack
_ARRAY_HEAD = 20


def row(fields: Sequence[bytes]) -> bytes:
    """Return one row of encoded fields."""
    return _row_head(len(fields)) + b"".join(fields)


def smallint(value: int) -> bytes:
    """Return a smallint field."""
    return _smallint(2, value)


def bigint(value: int) -> bytes:
    """Return a bigint field."""
    return _bigint(8, value)


def raw(value: bytes) -> bytes:
    """Return a bytea or uuid field."""
    return _field_head(len(value)) + value


def instant(value: datetime) -> bytes:
    """Return a timestamptz field; the time must be aware."""
    return _bigint(8, (value - _EPOCH) // _MICROSECOND)


class _SmallintElements(dict[int, bytes]):
    def __missing__(self, value: int) -> bytes:
        self[value] = encoded = _smallint(2, value)
        return encoded


class _TextElements(dict[str, bytes]):
    def __missing__(self, value: str) -> bytes:
        text = value.encode()
        self[value] = encoded = _field_head(len(text)) + text
        return encoded


class ArrayEncoder:
    """Encodes array fields; remembers the elements that repeat, so one is for one load of rows."""

    def __init__(self) -> None:
        self._smallints = _SmallintElements()
        self._texts = _TextElements()

    def integers(self, values: Sequence[int]) -> bytes:
        """Return an integer[] field."""
        count = len(values)
        flat = [4] * (2 * count)
        flat[1::2] = values
        return _head(_INT4, count, 8 * count) + struct.pack(f">{2 * count}i", *flat)

    def smallints(self, values: Sequence[int]) -> bytes:
        """Return a smallint[] field."""
        known = self._smallints
        return _head(_INT2, len(values), 6 * len(values)) + b"".join(map(known.__getitem__, values))

    def texts(self, values: Sequence[str]) -> bytes:
        """Return a text[] field."""
        known = self._texts
        body = b"".join(map(known.__getitem__, values))
        return _head(_TEXT, len(values), len(body)) + body

    def instants(self, values: Sequence[datetime]) -> bytes:
        """Return a timestamptz[] field."""
        count = len(values)
        flat = [8] * (2 * count)
        flat[1::2] = [(value - _EPOCH) // _MICROSECOND for value in values]
        return _head(_TIMESTAMPTZ, count, 12 * count) + struct.pack(">" + "iq" * count, *flat)


def _head(oid: int, count: int, size: int) -> bytes:
    if count == 0:
        return struct.pack(">4i", 12, 0, 0, oid)
    return _array_head(_ARRAY_HEAD + size, 1, 0, oid, count, 1)
