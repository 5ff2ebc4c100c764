"""Compressed bodies put together from pieces that were compressed before: what did not change costs nothing again.

DEFLATE blocks that refer to nothing before them and end on a byte can be strung together (RFC 1951), and
the checksum of the whole follows from those of the pieces, as zlib's crc32_combine works it out.
"""

import zlib
from collections.abc import Iterable
from functools import cache, lru_cache

import msgspec

_FASTEST = 1
_RAW = -15
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_END = b"\x03\x00"
_POLYNOMIAL = 0xEDB88320
_TOP = 1 << 31
_LENGTHS_KEPT = 50_000
_BITS_OF_A_BYTE = 3  # as a power of two


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a body: compressed, with its checksum and its length before."""

    deflated: bytes
    checksum: int
    length: int


def compressed(data: bytes) -> Piece:
    """Compress a part of a body."""
    if not data:
        return Piece(b"", 0, 0)
    deflater = zlib.compressobj(_FASTEST, zlib.DEFLATED, _RAW)
    return Piece(deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH), zlib.crc32(data), len(data))


def joined(pieces: Iterable[Piece]) -> bytes:
    """Return a whole gzip body of these parts."""
    parts, checksum, length = [_HEADER], 0, 0
    for piece in pieces:
        if piece.length:
            parts.append(piece.deflated)
            checksum = _product(_shift(piece.length), checksum) ^ piece.checksum
            length += piece.length
    parts += (_END, checksum.to_bytes(4, "little"), (length & 0xFFFFFFFF).to_bytes(4, "little"))
    return b"".join(parts)


def _product(one: int, other: int) -> int:
    """Return the product of two polynomials over GF(2), modulo the checksum's; the lowest bit is the highest power."""
    result, place = 0, _TOP
    while one:
        if one & place:
            result ^= other
            one ^= place
        place >>= 1
        other = (other >> 1) ^ _POLYNOMIAL if other & 1 else other >> 1
    return result


@lru_cache(_LENGTHS_KEPT)
def _shift(length: int) -> int:
    """Return what a checksum is multiplied by when that many bytes follow."""
    result, power = _TOP, _BITS_OF_A_BYTE
    while length:
        if length & 1:
            result = _product(_square(power), result)
        length >>= 1
        power += 1
    return result


@cache
def _square(power: int) -> int:
    """Return x to the power of two to that power."""
    if power == 0:
        return _TOP >> 1
    root = _square(power - 1)
    return _product(root, root)
