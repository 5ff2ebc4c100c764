"""Gzip bodies put together from pieces that were compressed before: what did not change costs nothing again.

DEFLATE blocks that refer to nothing before them and end on a byte can be strung together (RFC 1951). Where nobody
has the whole body, its checksum follows from those of the pieces: CRC-32 is linear, so that what the bytes before
a piece do to it is the same as if the piece were zeros, and zeros are checked fast.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec
from isal import isal_zlib  # a fraction of zlib's time; that it packs a little less does not matter here

_FASTEST = 1
_RAW = -15  # the largest window, no header
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_END = b"\x03\x00"  # an empty last block
_MODULUS = 1 << 32
_STORED_MOST = 0xFFFF
_ZEROS: Final = memoryview(bytes(1 << 18))


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a body: compressed, with its checksum and its length before, and the checksum of as many zeros."""

    deflated: bytes
    checksum: int
    length: int
    of_zeros: int


def deflated(data: bytes) -> bytes:
    """Return blocks that hold these bytes compressed."""
    deflater = isal_zlib.compressobj(_FASTEST, isal_zlib.DEFLATED, _RAW)
    return deflater.compress(data) + deflater.flush(isal_zlib.Z_FULL_FLUSH)


def inflated(blocks: bytes) -> bytes:
    """Return the bytes that blocks hold."""
    return isal_zlib.decompress(blocks + _END, _RAW)


def stored(data: bytes) -> bytes:
    """Return blocks that hold these bytes as they are."""
    pieces = [data[at : at + _STORED_MOST] for at in range(0, len(data), _STORED_MOST)]
    return b"".join(struct.pack("<BHH", 0, len(piece), len(piece) ^ _STORED_MOST) + piece for piece in pieces)


def gzipped(parts: Iterable[bytes], body: bytes) -> bytes:
    """Return the gzip file of a body whose parts, in order, are in these blocks."""
    return _file(parts, isal_zlib.crc32(body), len(body))


def compressed(data: bytes) -> Piece:
    """Compress a part of a body that nobody has as a whole."""
    if not data:
        return Piece(b"", 0, 0, 0)
    return Piece(deflated(data), zlib.crc32(data), len(data), _after_zeros(0, len(data)))


def joined(pieces: Iterable[Piece]) -> bytes:
    """Return a whole gzip file of these pieces."""
    parts, checksum, length = [], 0, 0
    for piece in pieces:
        if piece.length:
            parts.append(piece.deflated)
            checksum = _after_zeros(checksum, piece.length) ^ piece.of_zeros ^ piece.checksum
            length += piece.length
    return _file(parts, checksum, length)


def _file(parts: Iterable[bytes], checksum: int, length: int) -> bytes:
    return b"".join((_HEADER, *parts, _END, struct.pack("<LL", checksum, length % _MODULUS)))


def _after_zeros(checksum: int, length: int) -> int:
    """Return a checksum after so many zeros."""
    while length > len(_ZEROS):
        checksum = zlib.crc32(_ZEROS, checksum)
        length -= len(_ZEROS)
    return zlib.crc32(_ZEROS[:length], checksum)
