"""Arrays of instants in PostgreSQL's own form."""

import struct
from datetime import UTC, datetime, timedelta

from overround.db.instants import Instants

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def packed(*instants: datetime) -> bytes:
    """Return an array as `array_send` makes it."""
    if not instants:
        return struct.pack(">iii", 0, 0, 1184)
    elements = [struct.pack(">iq", 8, (one - _EPOCH) // timedelta(microseconds=1)) for one in instants]
    return struct.pack(">iiiii", 1, 0, 1184, len(instants), 1) + b"".join(elements)


def test_instants_come_back_in_their_order() -> None:
    """Each element is the instant that was stored, to the microsecond, before and after PostgreSQL's epoch."""
    instants = [NOON, NOON - timedelta(microseconds=1), datetime(1999, 12, 31, 23, 59, tzinfo=UTC), NOON]
    assert list(Instants().read(packed(*instants))) == instants


def test_an_empty_array_has_no_instants() -> None:
    """PostgreSQL sends an empty array without dimensions."""
    assert not Instants().read(packed())
