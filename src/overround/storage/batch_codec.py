"""A write batch as bytes, for the journal: MessagePack."""

from datetime import datetime
from hashlib import blake2b

import msgspec

from overround.batch import SnapshotWriteData, WriteBatch
from overround.writing import JournalEntry, StampedBatch


class _Envelope(WriteBatch, frozen=True, kw_only=True):
    """A batch whose snapshots are still bytes."""

    snapshots: tuple[msgspec.Raw, ...] = ()  # type: ignore[assignment]


class SnapshotLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Whose prices a snapshot holds, and of when."""

    sr_id: int
    bookmaker: str
    captured_at: datetime


_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPES = msgspec.msgpack.Decoder(_Envelope)
_LABELS = msgspec.msgpack.Decoder(SnapshotLabel)
_SNAPSHOTS = msgspec.msgpack.Decoder(SnapshotWriteData)
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
        return _SNAPSHOTS.decode(self._snapshots[place])


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
    return StampedBatch(epoch=entry.epoch, seq=entry.seq, batch=batch, body=entry.body, unreadable=fault)


def body_hash(body: bytes) -> bytes:
    """Return the hash by which a batch's bytes are known outside the journal: 16 bytes of BLAKE2b."""
    return blake2b(body, digest_size=_HASH_BYTES).digest()
