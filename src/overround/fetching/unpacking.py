"""Compressed bodies, unpacked within a bound.

Apart because it works on bytes alone, in a thread, without a connection.
"""

import zlib

from isal import isal_zlib  # a third of zlib's time, and a body is unpacked within a turn of the event loop

ENCODINGS = "gzip, deflate"
"""What `unpacked` knows, as a request's Accept-Encoding."""

_KNOWN = frozenset(("", "identity", "gzip", "x-gzip", "deflate"))
_GZIP = b"\x1f\x8b"
_GZIP_OR_ZLIB = 47  # zlib's window bits for a wrapper that it finds out by itself
_BARE = -15
_METHOD = 0x0F
_DEFLATE = 8
_CHECK = 31  # divides the first two bytes of zlib's wrapper
_MOST_LAYERS = 3


class TooLargeError(Exception):
    """Unpacked, the body is larger than it may be."""


def known_encoding(encoding: str) -> bool:
    """Tell whether a `Content-Encoding` is one that was asked for."""
    return encoding.strip().lower() in _KNOWN


def unpacked(body: bytes, encoding: str, at_most: int) -> bytes:
    """Return a body without its compression; no more than `at_most` bytes and one are ever made of it.

    The bytes decide, since servers and what stands before them label wrongly: a gzip or zlib wrapper is unpacked
    whatever the label, and a body without one is returned as it is. Only DEFLATE without a wrapper needs its label.

    Raises:
        TooLargeError: it has more.
        zlib.error: it is damaged or cut off.
    """
    for _ in range(_MOST_LAYERS):
        if not _wrapped(body):
            break
        body = _unwrapped(body, _GZIP_OR_ZLIB, at_most)
    else:
        return body
    return _without_bare_deflate(body, encoding, at_most)


def _wrapped(body: bytes) -> bool:
    if body.startswith(_GZIP):
        return True
    zlibs = len(body) > 1 and body[0] & _METHOD == _DEFLATE
    return zlibs and int.from_bytes(body[:2], "big") % _CHECK == 0


def _without_bare_deflate(body: bytes, encoding: str, at_most: int) -> bytes:
    if "deflate" not in encoding.lower() or not body:
        return body
    try:
        return _unwrapped(body, _BARE, at_most)
    except zlib.error:
        return body  # the label was wrong, or the body is of no use: whoever reads it will see


def _unwrapped(body: bytes, window: int, at_most: int) -> bytes:
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
