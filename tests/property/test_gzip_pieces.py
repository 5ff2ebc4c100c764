"""Compressed pieces make one compressed body."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from overround.gzip_pieces import compressed, joined, plain

repeated = st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 999))
parts = st.lists(st.tuples(st.binary(max_size=300) | repeated, st.booleans()), max_size=8)


@given(parts)
def test_parts_make_one_gzip_file(given_parts: list[tuple[bytes, bool]]) -> None:
    """Compressed and stored parts in any order give the file of their bytes, also to a strict single-member reader."""
    body = b"".join(data for data, _ in given_parts)
    file = joined(compressed(data) if packed else data for data, packed in given_parts)
    assert gzip.decompress(file) == body
    reader = zlib.decompressobj(31)
    assert reader.decompress(file) == body
    assert reader.eof
    assert reader.unused_data == b""


def test_long_parts_are_stored_in_several_blocks() -> None:
    """A stored block holds at most 65,535 bytes; longer parts take several."""
    body = bytes(range(256)) * 600
    assert gzip.decompress(joined([body])) == plain([body, compressed(b"")]) == body


@given(parts)
def test_parts_give_their_bytes_back(given_parts: list[tuple[bytes, bool]]) -> None:
    """Compressed parts and others give their bytes, one after the other, without the file that they are meant for."""
    body = b"".join(data for data, _ in given_parts)
    assert plain([compressed(data) if packed else data for data, packed in given_parts]) == body


def test_a_piece_may_be_long() -> None:
    """A piece longer than the zeros that stand for it is checked in turns."""
    data = bytes(range(256)) * 2500
    pieces = [compressed(b"x"), compressed(data), compressed(b"y")]
    assert gzip.decompress(joined(pieces)) == plain(pieces) == b"x" + data + b"y"
