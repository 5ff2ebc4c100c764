"""Compressed bodies put together from pieces that were compressed before: what did not change costs nothing again.

DEFLATE blocks that refer to nothing before them and end on a byte can be strung together (RFC 1951), and
the checksum of the whole follows from those of the pieces: CRC-32 is linear, so that what the bytes before
a piece do to it is the same as if the piece were zeros, and zeros are checked fast.
"""

import zlib
from collections.abc import Iterable
from typing import Final

import msgspec
from isal import isal_zlib  # half of zlib's time

_FASTEST = 1
_RAW = -15
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_END = b"\x03\x00"
_ZEROS: Final = memoryview(bytes(1 << 18))


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a body: compressed, with its checksum and its length before, and the checksum of as many zeros."""

    deflated: bytes
    checksum: int
    length: int
    of_zeros: int


def compressed(data: bytes) -> Piece:
    """Compress a part of a body."""
    if not data:
        return Piece(b"", 0, 0, 0)
    deflater = isal_zlib.compressobj(_FASTEST, isal_zlib.DEFLATED, _RAW)
    deflated = deflater.compress(data) + deflater.flush(isal_zlib.Z_SYNC_FLUSH)
    return Piece(deflated, zlib.crc32(data), len(data), _after_zeros(0, len(data)))


def joined(pieces: Iterable[Piece]) -> bytes:
    """Return a whole gzip body of these parts."""
    parts, checksum, length = [_HEADER], 0, 0
    for piece in pieces:
        if piece.length:
            parts.append(piece.deflated)
            checksum = _after_zeros(checksum, piece.length) ^ piece.of_zeros ^ piece.checksum
            length += piece.length
    parts += (_END, checksum.to_bytes(4, "little"), (length & 0xFFFFFFFF).to_bytes(4, "little"))
    return b"".join(parts)


def _after_zeros(checksum: int, length: int) -> int:
    """Return a checksum after so many zeros."""
    while length > len(_ZEROS):
        checksum = zlib.crc32(_ZEROS, checksum)
        length -= len(_ZEROS)
    return zlib.crc32(_ZEROS[:length], checksum)
