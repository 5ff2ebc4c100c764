"""A write batch as bytes, for the journal: MessagePack."""

from hashlib import blake2b

import msgspec

from overround.batch import WriteBatch

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(WriteBatch)
_HASH_BYTES = 16


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the batch as bytes."""
    return _ENCODER.encode(batch)


def decode_batch(body: bytes) -> WriteBatch:
    """Return the batch that `encode_batch` was given.

    Raises:
        msgspec.DecodeError: the bytes are not a batch of a format that this release reads.
    """
    return _DECODER.decode(body)


def body_hash(body: bytes) -> bytes:
    """Return the hash by which a batch's bytes are known outside the journal: 16 bytes of BLAKE2b."""
    return blake2b(body, digest_size=_HASH_BYTES).digest()
