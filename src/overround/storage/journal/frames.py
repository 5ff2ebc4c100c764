"""The bytes of a journal file, format 1: a header twice over, then frames.

All numbers are little-endian. The header: magic, format version (u16), two spare bytes, the generation's
id, the last seq before the generation (u64; earlier releases wrote a time there), the first seq that the file
may hold (u64), the last seq committed before the file was made (u64), CRC-32 of all that. A frame: magic with
the format version, seq (u64), the last seq synced before this commit (u64), the append's time in microseconds
(i64), length of the body and of what it unpacks to (u32 each), CRC-32 of the body, CRC-32 of the header; then
the body, Zstandard.

The CRC of a frame's header starts from the frame's offset, so that a frame counts in its own place only:
the bytes of a frame within a body, or a block that the disk put elsewhere, are not taken for one.
"""

import uuid
import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Protocol

import msgspec
import zstandard

FORMAT_VERSION = 1
FRAME_MAGIC = b"OVF\x01"
MAX_BODY = 2**31 - 1  # bytes; the length field is 32 bits wide

_FILE_MAGIC = b"OVERJRNL"
_FILE_HEADER = Struct("<8sH2x16sQQQ")
_FRAME_HEADER = Struct("<4sQQqIII")
_CRC = Struct("<I")
_HEADER_COPY = _FILE_HEADER.size + _CRC.size
FILE_HEADER_SIZE = 2 * _HEADER_COPY
FRAME_HEADER_SIZE = _FRAME_HEADER.size + _CRC.size
_LEVEL = 1  # of Zstandard: a batch shrinks to about a third in well under a millisecond
_EXPANSION = 64  # bytes that Zstandard may add to a small incompressible body
_EXPANSION_SHARE = 256  # and one in so many to a large one


class FileHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Whose file it is; `follows` is the last seq that was committed before it, at most `first_seq` - 1.

    Seqs count over the journal's whole life. `journal_id` is the generation, `base` the last seq before its first.
    """

    version: int = FORMAT_VERSION
    journal_id: uuid.UUID
    base: int
    first_seq: int
    follows: int


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A sound frame: its place in the file, and what its header says; `body` is packed."""

    offset: int
    seq: int
    high_water: int
    appended_at: int
    unpacked: int
    body: bytes

    @property
    def end(self) -> int:
        """Return the offset behind the frame."""
        return self.offset + FRAME_HEADER_SIZE + len(self.body)


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are no sound frame; `seq` is known where the header is sound and only the body is not.

    `cut`: the frame was to reach beyond the end of the file.
    """

    offset: int
    end: int
    seq: int | None = None
    cut: bool = False


class ByteSource(Protocol):
    """The bytes of one file."""

    @property
    def size(self) -> int:
        """Return their number."""

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset; fewer at the end."""

    def find(self, wanted: bytes, start: int) -> int:
        """Return the offset of the next occurrence, or the size where there is none."""


def packed(body: bytes) -> bytes:
    """Return a batch as it is stored."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(body)


def unpacked(frame: Frame) -> bytes:
    """Return the batch of a frame."""
    return zstandard.ZstdDecompressor().decompress(frame.body, max_output_size=frame.unpacked)


def frame_bound(length: int) -> int:
    """Return how long the frame of a batch of this length can become."""
    return FRAME_HEADER_SIZE + length + length // _EXPANSION_SHARE + _EXPANSION


def encode_header(header: FileHeader) -> bytes:
    """Return how a file begins; the header stands there twice, since nothing else could stand in for it."""
    fields = (header.version, header.journal_id.bytes, header.base, header.first_seq, header.follows)
    copy = _FILE_HEADER.pack(_FILE_MAGIC, *fields)
    return 2 * (copy + _CRC.pack(zlib.crc32(copy)))


def decode_headers(data: bytes) -> list[FileHeader | None]:
    """Return the two copies of a file's header, None for a damaged one.

    The place of magic, version and CRC is the same in all formats: an unknown version is told from a damaged one.
    """
    return [_decode_header(data[start : start + _HEADER_COPY]) for start in (0, _HEADER_COPY)]


def _decode_header(copy: bytes) -> FileHeader | None:
    if len(copy) < _HEADER_COPY or copy[_FILE_HEADER.size :] != _CRC.pack(zlib.crc32(copy[: _FILE_HEADER.size])):
        return None
    magic, version, journal_id, base, first_seq, follows = _FILE_HEADER.unpack_from(copy)
    if magic != _FILE_MAGIC:
        return None
    identity = uuid.UUID(bytes=journal_id)
    return FileHeader(version=version, journal_id=identity, base=base, first_seq=first_seq, follows=follows)


def encode_frame(frame: Frame) -> bytes:
    """Return a frame as it stands in the file, at its offset and nowhere else."""
    lengths = (len(frame.body), frame.unpacked, zlib.crc32(frame.body))
    header = _FRAME_HEADER.pack(FRAME_MAGIC, frame.seq, frame.high_water, frame.appended_at, *lengths)
    return header + _CRC.pack(zlib.crc32(header, frame.offset & 0xFFFFFFFF)) + frame.body


def frame_at(source: ByteSource, offset: int) -> Frame | Damage | None:
    """Return what begins at an offset; None where that is no frame's header."""
    data = source.read(offset, FRAME_HEADER_SIZE)
    if len(data) < FRAME_HEADER_SIZE or not data.startswith(FRAME_MAGIC):
        return None
    header = data[: _FRAME_HEADER.size]
    if data[_FRAME_HEADER.size :] != _CRC.pack(zlib.crc32(header, offset & 0xFFFFFFFF)):
        return None
    _, seq, high_water, appended_at, length, unpacked_length, body_crc = _FRAME_HEADER.unpack(header)
    start = offset + FRAME_HEADER_SIZE
    cut = start + length > source.size
    body = b"" if cut else source.read(start, length)
    if len(body) < length or zlib.crc32(body) != body_crc:
        return Damage(offset=offset, end=min(start + length, source.size), seq=seq, cut=cut)
    return Frame(
        offset=offset, seq=seq, high_water=high_water, appended_at=appended_at, unpacked=unpacked_length, body=body
    )


def scan(source: ByteSource, start: int) -> Iterator[Frame | Damage]:
    """Yield everything from an offset on: the sound frames, and what lies between them."""
    offset, bad = start, start
    while offset < source.size:
        found = frame_at(source, offset)
        if found is None:
            offset = source.find(FRAME_MAGIC, offset + 1)
            continue
        if bad < offset:
            yield Damage(offset=bad, end=offset)
        yield found
        offset = bad = found.end
    if bad < source.size:
        yield Damage(offset=bad, end=source.size)
