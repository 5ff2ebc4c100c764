"""Gzip bodies put together from pieces that were compressed before: what did not change costs nothing again.

DEFLATE blocks that refer to nothing before them and end on a byte can be strung together (RFC 1951). Where nobody
has the whole body, its checksum follows from those of the pieces: CRC-32 is linear, so that what the bytes before
a piece do to it is the same as if the piece were zeros, and zeros are checked fast.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec
from isal import isal_zlib  # a fraction of zlib's time; that it packs a little less does not matter here

_FASTEST = 1
_RAW = -15  # the largest window, no header
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_END = b"\x03\x00"  # an empty last block
_MODULUS = 1 << 32
_HEAD: Final = struct.Struct("<BHH")  # of a stored block
_STORED_MOST = 0xFFFF
_ZEROS: Final = memoryview(bytes(1 << 19))


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
    blocks = deflater.compress(data) + deflater.flush(isal_zlib.Z_FULL_FLUSH)
    return Piece(blocks, isal_zlib.crc32(data), len(data), _after_zeros(0, len(data)))


def plain(parts: Sequence[Piece | bytes]) -> bytes:
    """Return the bytes of these parts in one."""
    if Piece not in map(type, parts):
        return b"".join(cast("Sequence[bytes]", parts))
    # All in one stream, into one buffer: unpacking first and joining then takes twice as long where caches are cold.
    blocks = [part.deflated if isinstance(part, Piece) else _stored(part) for part in parts]
    length = sum([part.length if isinstance(part, Piece) else len(part) for part in parts])
    # Without room for a byte more, another buffer is begun before the end is seen.
    return isal_zlib.decompress(b"".join((*blocks, _END)), _RAW, length + 1)


def joined(parts: Iterable[Piece | bytes]) -> bytes:
    """Return a whole gzip file of these parts; bytes are stored in it as they are."""
    blocks, checksum, length = [_HEADER], 0, 0
    for part in parts:
        if isinstance(part, bytes):
            blocks.append(_stored(part))
            checksum = isal_zlib.crc32(part, checksum)
            length += len(part)
        elif part.length:
            blocks.append(part.deflated)
            checksum = _after_zeros(checksum, part.length) ^ part.of_zeros ^ part.checksum
            length += part.length
    return b"".join((*blocks, _END, struct.pack("<LL", checksum, length % _MODULUS)))


def _stored(data: bytes) -> bytes:
    """Return blocks that hold these bytes as they are."""
    pieces = [data[at : at + _STORED_MOST] for at in range(0, len(data), _STORED_MOST)]
    return b"".join([_HEAD.pack(0, len(piece), len(piece) ^ _STORED_MOST) + piece for piece in pieces])


def _after_zeros(checksum: int, length: int) -> int:
    """Return a checksum after so many zeros."""
    while length > len(_ZEROS):
        checksum = isal_zlib.crc32(_ZEROS, checksum)
        length -= len(_ZEROS)
    return isal_zlib.crc32(_ZEROS[:length], checksum)
