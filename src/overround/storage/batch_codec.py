"""A write batch as bytes, for the journal: MessagePack."""

from hashlib import blake2b

import msgspec

from overround.batch import WriteBatch
from overround.writing import JournalEntry, StampedBatch

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(WriteBatch)
_HASH_BYTES = 16
_NOTHING = WriteBatch(scrape_run_id=0, batch_index=0)


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the batch as bytes."""
    return _ENCODER.encode(batch)


def decode_batch(body: bytes) -> WriteBatch:
    """Return the batch that `encode_batch` was given.

    Raises:
        msgspec.DecodeError: the bytes are not a batch of a format that this release reads.
    """
    return _DECODER.decode(body)


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
