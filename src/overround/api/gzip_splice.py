"""Gzip bodies put together from parts that were compressed before, so that an answer costs no compression.

A part is a deflate stream that refers to nothing before it and ends on a whole byte; parts follow each other
as the blocks of one stream.
"""

import struct
from collections.abc import Iterable

from isal import isal_zlib  # a tenth of zlib's time; that it packs a little less does not matter here

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_END = b"\x03\x00"  # an empty last block
_MODULUS = 1 << 32
_STORED_MOST = 0xFFFF
_LEVEL = 1
_RAW = -15  # the largest window, no header


def deflated(data: bytes) -> bytes:
    """Return a part that holds these bytes compressed."""
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
    return compressor.compress(data) + compressor.flush(isal_zlib.Z_FULL_FLUSH)


def inflated(part: bytes) -> bytes:
    """Return the bytes that a part holds."""
    return isal_zlib.decompress(part + _END, _RAW)


def stored(data: bytes) -> bytes:
    """Return a part that holds these bytes as they are."""
    pieces = [data[at : at + _STORED_MOST] for at in range(0, len(data), _STORED_MOST)]
    return b"".join(struct.pack("<BHH", 0, len(piece), len(piece) ^ _STORED_MOST) + piece for piece in pieces)


def gzipped(parts: Iterable[bytes], body: bytes) -> bytes:
    """Return the gzip file of a body whose parts, in order, are these."""
    return b"".join((_HEADER, *parts, _END, struct.pack("<LL", isal_zlib.crc32(body), len(body) % _MODULUS)))
