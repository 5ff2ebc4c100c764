"""What the writer process says it offered, and what it was told is safe: files that outlive it.

Every process of a drill has files of its own, so that a line cut off by a kill is always the last one.
An offer is written before `enqueue` is called and an acknowledgement after it has returned, synced.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

Line = TypeVar("Line")

_OFFERS, _ACKS = "offers", "acks"


class Offered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One snapshot as it was offered."""

    uid: uuid.UUID
    digest: bytes


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """One batch as it was offered."""

    batch: int
    snapshots: tuple[Offered, ...]


class Ack(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One batch whose `enqueue` returned, with its place in the order of writes."""

    batch: int
    generation: str
    seq: int


class Ledger:
    """The writer's end: appends whole lines, and never holds one back."""

    def __init__(self, directory: Path, generation: int) -> None:
        self._offers = _open(directory / f"{_OFFERS}-{generation:06d}")
        self._acks = _open(directory / f"{_ACKS}-{generation:06d}")

    def offer(self, offer: Offer) -> None:
        """Note a batch that is about to be enqueued."""
        os.write(self._offers, msgspec.json.encode(offer) + b"\n")

    def ack(self, ack: Ack) -> None:
        """Note, durably, that a batch was acknowledged."""
        os.write(self._acks, msgspec.json.encode(ack) + b"\n")
        os.fdatasync(self._acks)


class Generation(msgspec.Struct, frozen=True):
    """What one process offered and had acknowledged."""

    offers: Sequence[Offer]
    acks: Sequence[Ack]


def generations(directory: Path) -> Iterator[Generation]:
    """Yield what each process left, in the order of their lives."""
    for path in sorted(directory.glob(f"{_OFFERS}-*")):
        acks = path.with_name(path.name.replace(_OFFERS, _ACKS))
        yield Generation(_lines(path, Offer), _lines(acks, Ack))


def count_acks(directory: Path) -> int:
    """Return how many batches have been acknowledged so far."""
    return sum(path.read_bytes().count(b"\n") for path in directory.glob(f"{_ACKS}-*"))


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


def _lines(path: Path, kind: type[Line]) -> list[Line]:
    if not path.exists():  # the process died before it came to make it
        return []
    decode = msgspec.json.Decoder(kind).decode
    *whole, _cut_off = path.read_bytes().split(b"\n")
    return [decode(line) for line in whole]
