"""Text as it compares and is searched for: without case, diacritics and punctuation."""

import unicodedata
from typing import Final

# Letters that no decomposition takes apart.
_LETTERS: Final = str.maketrans(
    dict(zip("øłđð\u0131ħŧŋ", "olddihtn", strict=True)) | {"þ": "th", "æ": "ae", "œ": "oe"},
)


def folded(text: str) -> str:
    """Return a text in lower case, its letters without diacritics: "Bodø/Glimt" -> "bodo/glimt"."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words_of(text: str) -> tuple[str, ...]:
    """Return a text's words, in lower case and without diacritics; what is no letter and no digit parts them."""
    return tuple("".join(char if char.isalnum() else " " for char in folded(text)).split())
