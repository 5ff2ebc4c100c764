"""Compressed pieces make one compressed body."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from overround.bookmakers.gzip_pieces import compressed, joined


@given(parts=st.lists(st.binary(max_size=200) | st.builds(bytes.__mul__, st.binary(max_size=9), st.integers(0, 999))))
def test_pieces_decompress_to_their_data(parts: list[bytes]) -> None:
    """Any pieces, empty ones included, are one gzip stream of all their data, checksum and length included."""
    assert gzip.decompress(joined(compressed(part) for part in parts)) == b"".join(parts)


def test_a_piece_may_be_long() -> None:
    """A piece longer than the zeros that stand for it is checked in turns."""
    data = bytes(range(256)) * 2500
    assert gzip.decompress(joined([compressed(b"x"), compressed(data), compressed(b"y")])) == b"x" + data + b"y"
