"""Compressed bodies, unpacked within a bound.

Apart because it works on bytes alone, in a thread, without a connection.
"""

import zlib

from isal import isal_zlib  # a third of zlib's time, and a body is unpacked within a turn of the event loop

ENCODINGS = "gzip, deflate"
"""What `unpacked` knows, as a request's Accept-Encoding."""

_GZIP_OR_ZLIB = 47  # zlib's window bits for a wrapper that it finds out by itself
_BARE = -15
_METHOD = 0x0F
_DEFLATE = 8


class TooLargeError(Exception):
    """Unpacked, the body is larger than it may be."""


def unpacked(body: bytes, encoding: str, at_most: int) -> bytes:
    """Return a body without its content encoding; no more than `at_most` bytes and one are ever made of it.

    Raises:
        TooLargeError: it has more.
        zlib.error: it is damaged or cut off, or the encoding is not known.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise zlib.error(f"content encoding {encoding[:40]!r} was not asked for")
    # "deflate" comes with zlib's wrapper, as it should, or without.
    window = _BARE if encoding == "deflate" and body[0] & _METHOD != _DEFLATE else _GZIP_OR_ZLIB
    try:
        return _inflated(body, window, at_most)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub calls the class an instance
        raise zlib.error(str(error)) from error


def _inflated(body: bytes, window: int, at_most: int) -> bytes:
    parts, room = list[bytes](), at_most
    while body:
        inflater = isal_zlib.decompressobj(window)
        parts.append(inflater.decompress(body, room + 1))
        room -= len(parts[-1])
        if room < 0:
            raise TooLargeError
        if not inflater.eof:
            raise zlib.error("the compressed body is cut off")
        body = inflater.unused_data.lstrip(b"\0")
    return b"".join(parts)
