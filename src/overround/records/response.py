"""What a bookmaker answered."""

from datetime import datetime

import msgspec

from overround.records.event import Offer


class KnownBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a body said when it came before, and its size."""

    offer: Offer
    bytes: int


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A body that arrived whole; `received_at` was taken when it had.

    `digest` is the hash of the bytes as they came, compressed, or empty where nobody has worked it out. Where an
    equal answer has been read before, `known` is what it said, and `body` is empty: it was not even unpacked.
    `number` is that of the request among all requests of the process, in the order in which they were sent.
    """

    body: bytes
    received_at: datetime
    duration_ms: int
    digest: bytes = b""
    known: KnownBody | None = None
    number: int = 0

    @property
    def bytes(self) -> int:
        """Return the body's size, unpacked."""
        return len(self.body) if self.known is None else self.known.bytes
