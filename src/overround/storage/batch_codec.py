"""A write batch as bytes, for the journal: MessagePack."""

import struct
from datetime import datetime
from hashlib import blake2b

import msgspec

from overround.records.batch import CurrentMarketData, SnapshotWriteData, WriteBatch, current_markets
from overround.records.writing import JournalEntry, StampedBatch


class _Envelope(WriteBatch, frozen=True, kw_only=True):
    """A batch whose snapshots are still bytes."""

    snapshots: tuple[msgspec.Raw, ...] = ()  # type: ignore[assignment]


class SnapshotLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Whose prices a snapshot holds, and of when."""

    sr_id: int
    bookmaker: str
    captured_at: datetime


class _Earlier(SnapshotWriteData, frozen=True, kw_only=True):
    """A snapshot as it was written before its unchanged markets stood in columns."""

    unchanged: tuple[CurrentMarketData, ...] = ()  # type: ignore[assignment]


_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPES = msgspec.msgpack.Decoder(_Envelope)
_LABELS = msgspec.msgpack.Decoder(SnapshotLabel)
_SNAPSHOTS = msgspec.msgpack.Decoder(SnapshotWriteData)
_EARLIER = msgspec.msgpack.Decoder(_Earlier)
_HASH_BYTES = 16
_NOTHING = WriteBatch(scrape_run_id=0, batch_index=0)


class OpenBatch:
    """A batch of which the snapshots are decoded one by one, and only those that are asked for."""

    def __init__(self, body: bytes) -> None:
        """Open the bytes that `encode_batch` returned.

        Raises:
            msgspec.DecodeError: the bytes are not a batch of a format that this release reads.
        """
        envelope = _ENVELOPES.decode(body)
        self._snapshots = envelope.snapshots
        self.rest = WriteBatch(**{**msgspec.structs.asdict(envelope), "snapshots": ()})

    def __len__(self) -> int:
        """Return how many snapshots there are."""
        return len(self._snapshots)

    def label(self, place: int) -> SnapshotLabel:
        """Return whose a snapshot is, for a tenth of what decoding it costs."""
        return _LABELS.decode(self._snapshots[place])

    def snapshot(self, place: int) -> SnapshotWriteData:
        """Return a snapshot."""
        return decode_snapshot(self._snapshots[place])


def decode_snapshot(body: bytes | msgspec.Raw) -> SnapshotWriteData:
    """Return a snapshot, also one written by an earlier release.

    Raises:
        msgspec.DecodeError: the bytes are no snapshot of a format that this release reads.
    """
    try:
        return _SNAPSHOTS.decode(body)
    except msgspec.ValidationError:
        earlier = _EARLIER.decode(body)
    try:
        unchanged = current_markets(earlier.unchanged, earlier.captured_at)
    except struct.error as error:
        raise msgspec.ValidationError(f"a number of an unchanged market is too large: {error}") from error
    return SnapshotWriteData(**{**msgspec.structs.asdict(earlier), "unchanged": unchanged})


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the batch as bytes."""
    return _ENCODER.encode(batch)


def decode_batch(body: bytes) -> WriteBatch:
    """Return the batch that `encode_batch` was given; in a thread, the others get their turn between snapshots.

    Raises:
        msgspec.DecodeError: the bytes are not a batch of a format that this release reads.
    """
    opened = OpenBatch(body)
    snapshots = tuple(opened.snapshot(place) for place in range(len(opened)))
    return msgspec.structs.replace(opened.rest, snapshots=snapshots)


def read_entry(entry: JournalEntry) -> StampedBatch:
    """Return what a journal holds at one place; a batch that cannot be decoded is empty, and says why."""
    batch, fault = _NOTHING, ""
    try:
        batch = decode_batch(entry.body)
    except ValueError as error:
        fault = f"the batch cannot be decoded: {error}"
    return StampedBatch(seq=entry.seq, position=entry.position, batch=batch, body=entry.body, unreadable=fault)


def body_hash(body: bytes) -> bytes:
    """Return the hash by which a batch's bytes are known outside the journal: 16 bytes of BLAKE2b."""
    return blake2b(body, digest_size=_HASH_BYTES).digest()
