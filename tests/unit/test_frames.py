import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.records.writing import Generation
from overround.storage.journal.frames import (
    FILE_HEADER_SIZE,
    FRAME_HEADER_SIZE,
    Damage,
    FileHeader,
    Frame,
    decode_headers,
    encode_frame,
    encode_header,
    frame_bound,
    packed,
    scan,
    unpacked,
)
from overround.storage.journal.segments import SegmentLog
from overround.testing import FakeDisk

GOLDEN = Path(__file__).parents[1] / "data" / "journal_format_1"
JOURNAL = uuid.UUID(int=0x0123456789ABCDEF0123456789ABCDEF)
HEADER = FileHeader(journal_id=JOURNAL, base=1_767_225_600_000_000, first_seq=7, follows=6)


class Held:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, offset: int, size: int) -> bytes:
        """Return a slice."""
        return self.data[offset : offset + size]

    def find(self, wanted: bytes, start: int) -> int:
        """Return the next place, or the size."""
        place = self.data.find(wanted, start)
        return self.size if place < 0 else place


def frames(bodies: list[bytes], start: int = 0) -> list[Frame]:
    """Return the frames of these bodies, one behind the other."""
    made: list[Frame] = []
    for seq, body in enumerate(bodies, 1):
        offset = made[-1].end if made else start
        small = packed(body)
        made.append(Frame(offset=offset, seq=seq, high_water=0, appended_at=-5, unpacked=len(body), body=small))
    return made


def encoded(made: list[Frame]) -> bytes:
    """Return the frames' bytes."""
    return b"".join(encode_frame(frame) for frame in made)


@given(bodies=st.lists(st.binary(max_size=300), max_size=8))
def test_frames_come_back_as_they_were(bodies: list[bytes]) -> None:
    """Scanning encoded frames yields them again, and their bodies unpack to what was given."""
    made = frames(bodies)
    assert list(scan(Held(encoded(made)), 0)) == made
    assert [unpacked(frame) for frame in made] == bodies


@given(body=st.binary(max_size=3000))
def test_a_frame_is_never_longer_than_its_bound(body: bytes) -> None:
    """What admission reckons with is enough for any batch."""
    assert frames([body])[0].end <= frame_bound(len(body))


@given(bodies=st.lists(st.binary(max_size=60), min_size=1, max_size=5), where=st.floats(0, 1, exclude_max=True))
def test_one_bad_byte_costs_one_frame(bodies: list[bytes], where: float) -> None:
    """All frames but the damaged one are found again, and the damage is exactly its extent."""
    made = frames(bodies)
    data = bytearray(encoded(made))
    place = int(where * len(data))
    data[place] ^= 0x10
    hit = next(frame for frame in made if frame.offset <= place < frame.end)
    found = list(scan(Held(bytes(data)), 0))
    assert [one for one in found if isinstance(one, Frame)] == [frame for frame in made if frame is not hit]
    assert [(one.offset, one.end) for one in found if isinstance(one, Damage)] == [(hit.offset, hit.end)]


def test_a_frame_within_a_damaged_body_is_not_taken_for_one() -> None:
    """Batches may hold anything, the bytes of a sound frame included."""
    inner = encode_frame(frames([b"inner"])[0])
    outer = Frame(offset=0, seq=1, high_water=0, appended_at=0, unpacked=len(inner), body=inner)
    data = bytearray(encode_frame(outer) + encode_frame(frames([b"x"], start=outer.end)[0]))
    data[4] ^= 1
    found = list(scan(Held(bytes(data)), 0))
    assert [one.offset for one in found if isinstance(one, Frame)] == [outer.end]


def test_the_header_survives_the_loss_of_either_copy() -> None:
    """Whichever byte of the file's header is bad, one copy is sound."""
    data = encode_header(HEADER)
    for place in range(FILE_HEADER_SIZE):
        bad = bytearray(data)
        bad[place] ^= 0x80
        assert sorted(decode_headers(bytes(bad)), key=lambda one: one is None) == [HEADER, None]


def test_lengths_are_those_of_the_format() -> None:
    """The format is fixed: 56 bytes of header twice, 44 before each body."""
    assert (FILE_HEADER_SIZE, FRAME_HEADER_SIZE) == (112, 44)


def test_format_1_is_read() -> None:
    """A journal written by the first release opens with all its entries, as a single generation."""
    disk = FakeDisk()
    for path in GOLDEN.glob("*.journal"):
        disk.create(path.name)
        disk.write(path.name, 0, path.read_bytes())
    log = SegmentLog(disk, 1 << 20, uuid.uuid4())
    log.open()
    assert (log.state.generations[0], log.state.damaged_frames) == (Generation(JOURNAL), 0)
    entries = log.read(0, 10)
    assert [(entry.seq, entry.body) for entry in entries] == [
        (7, b""),
        (8, b"a batch"),
        (9, bytes(range(256)) * 4),
        (10, b"the next segment"),
    ]
    assert log.state.oldest_at == HEADER.base


def test_format_1_is_written() -> None:
    """Today's headers are those of the first release, byte for byte."""
    data = min(GOLDEN.glob("*.journal")).read_bytes()
    assert data.startswith(encode_header(HEADER))
    for found in scan(Held(data), FILE_HEADER_SIZE):
        assert isinstance(found, Frame)
        assert data[found.offset : found.end] == encode_frame(found)


@pytest.mark.parametrize("size", [0, 1, 55])
def test_a_cut_header_is_no_header(size: int) -> None:
    """A file cut within its first header copy tells nothing."""
    assert decode_headers(encode_header(HEADER)[:size]) == [None, None]


def test_the_header_of_a_later_format_is_recognised() -> None:
    """Magic, version and CRC stay in their places, so that a later version is told from damage."""
    later = encode_header(FileHeader(version=9, journal_id=JOURNAL, base=1, first_seq=1, follows=0))
    assert [copy.version for copy in decode_headers(later) if copy] == [9, 9]
    assert later[52:56] == zlib.crc32(later[:52]).to_bytes(4, "little")
