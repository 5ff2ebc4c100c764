"""A write batch as bytes, for the journal: MessagePack."""

import msgspec

from overround.batch import WriteBatch

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(WriteBatch)


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the batch as bytes."""
    return _ENCODER.encode(batch)


def decode_batch(body: bytes) -> WriteBatch:
    """Return the batch that `encode_batch` was given.

    Raises:
        msgspec.DecodeError: the bytes are not a batch of a format that this release reads.
    """
    return _DECODER.decode(body)
