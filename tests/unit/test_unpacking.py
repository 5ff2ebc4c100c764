"""Content encodings, within a bound."""

import gzip
import zlib

import pytest

from overround.fetching.unpacking import TooLargeError, unpacked

BODY = b'{"prices": [2.10, 3.30]}' * 50


def bare(body: bytes) -> bytes:
    """Return DEFLATE without a wrapper."""
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(body) + deflater.flush()


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (gzip.compress(BODY), "gzip"),
        (gzip.compress(BODY), " X-GZIP"),
        (gzip.compress(BODY[:100]) + gzip.compress(BODY[100:]) + bytes(3), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (bare(BODY), "deflate"),
        (BODY, "gzip"),
        (BODY, "br"),
        (BODY, "utf-8"),
        (BODY, "deflate"),
        (gzip.compress(BODY), ""),
        (gzip.compress(BODY), "utf-8"),
        (gzip.compress(BODY), "br"),
        (zlib.compress(BODY), ""),
        (zlib.compress(BODY), "gzip"),
        (gzip.compress(gzip.compress(BODY)), "gzip"),
        (gzip.compress(BODY), "gzip, gzip"),
    ],
    ids=[
        *("plain", "identity", "gzip", "spelling", "members", "zlib", "bare"),
        *("plain-as-gzip", "plain-as-br", "plain-as-charset", "plain-as-deflate", "gzip-unmarked", "gzip-as-charset"),
        *("gzip-as-br", "zlib-unmarked", "zlib-as-gzip", "gzip-twice", "gzip-marked-twice"),
    ],
)
def test_a_body_is_unpacked(packed: bytes, encoding: str) -> None:
    """Every encoding that is asked for, in the forms in which servers send it; the bytes decide, not the label."""
    assert unpacked(packed, encoding, len(BODY)) == BODY


def test_a_body_at_the_bound_is_let_through_and_one_beyond_is_not() -> None:
    """The bound is on what comes out, over all members; a bomb is not unpacked further."""
    packed = gzip.compress(BODY[:100]) + gzip.compress(bytes(50_000_000))
    with pytest.raises(TooLargeError):
        unpacked(packed, "gzip", 1000)
    with pytest.raises(TooLargeError):
        unpacked(gzip.compress(BODY), "gzip", len(BODY) - 1)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(BODY)[:-9], "gzip"),
        (b"\x78\x9c\x00", "deflate"),
        (gzip.compress(BODY)[:-8] + bytes(4) + gzip.compress(BODY)[-4:], "gzip"),
        (zlib.compress(BODY)[:-4] + bytes(4), "deflate"),
    ],
    ids=["cut", "damaged", "checksum", "zlib-checksum"],
)
def test_what_cannot_be_unpacked_is_told(packed: bytes, encoding: str) -> None:
    """A body that is cut off, or is not what it says, is an error and never half a body."""
    with pytest.raises(zlib.error):
        unpacked(packed, encoding, 10_000)


def test_an_empty_body_is_empty() -> None:
    """An answer without a body may still state an encoding."""
    assert unpacked(b"", "gzip", 10) == b""
