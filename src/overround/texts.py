"""Texts as they arrive: characters that no text can hold, nulls, and lengths that nobody shows.

JSON lets a sender write what neither UTF-8 nor PostgreSQL can store: NUL, and half of a surrogate pair. Such a
character becomes U+FFFD, so that it costs itself and not the body around it.
"""

import codecs
import html
import re
from typing import Final

import msgspec

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
LONGEST_TEXT: Final = 200
"""Characters of a name; the longest real one of a league has some 120."""

_NUL: Final = b"\\u0000"
_SURROGATE_STARTS: Final = (b"\\ud", b"\\uD")
# A pair of surrogates, one half alone, NUL, or any other escape: the last keeps a backslash that is itself escaped.
_ESCAPES: Final = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<bad>\\u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000))"
    rb"|\\."
)
_NOT_A_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_CONTROLS: Final = bytes(range(0x20))
_SPACES: Final = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
# As JavaScript, Python, C and Java write numbers that are none; a text in quotes is matched to be left alone.
_NO_NUMBERS: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*"|[+-]?\b(?:infinity|inf|nan(?:\(\w*\))?|undefined)(?!\w)', re.DOTALL | re.IGNORECASE
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# The longer marks first: UTF-32's begins as UTF-16's does.
_WIDE_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class CleanedBody(msgspec.Struct, frozen=True):
    """A JSON body without characters that no text can hold, and how many there were."""

    body: bytes
    replaced: int = 0


def clean_json(body: bytes) -> CleanedBody:
    """Put U+FFFD in place of each escaped NUL and each half of a surrogate pair, and take away a byte order mark."""
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if _NUL not in body and not any(start in body for start in _SURROGATE_STARTS):
        return CleanedBody(body)
    replaced = 0

    def clean(found: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if found["bad"] is None:
            return found[0]
        replaced += 1
        return rb"\ufffd"

    return CleanedBody(_ESCAPES.sub(clean, body), replaced)


def repaired_json(body: bytes) -> bytes:
    """Return a body that could not be decoded, with what is wrong in it confined to its own place.

    UTF-16 and UTF-32 become UTF-8, bytes that are no UTF-8 U+FFFD, control characters spaces, NaN and Infinity null.
    A body that is cut off, or not JSON, stays so.
    """
    encoding = next((encoding for mark, encoding in _WIDE_MARKS if body.startswith(mark)), "")
    if encoding:
        body = body.decode(encoding, "replace").encode("utf-8", "replace")
    body = clean_json(body).body.decode("utf-8", "replace").encode().translate(_SPACES)
    return _NO_NUMBERS.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", body)


def plain_text(text: str | None, at_most: int = LONGEST_TEXT) -> str:
    """Return a text that can be stored and shown: null is "", and it has no needless white space and a bound.

    A bookmaker may send a name as another layer of its site wrote it: entities ("&amp;") become their characters,
    also where that happened twice.
    """
    if not text:
        return ""
    if "&" in text:
        text = html.unescape(html.unescape(text))
    return _NOT_A_TEXT.sub(REPLACEMENT, " ".join(text.split()))[:at_most]
