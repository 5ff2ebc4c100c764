"""Two teams in one text, as some bookmakers write a match."""

import re
from typing import Final

from overround.texts import plain_text

# Hyphens part teams only with white space on both sides: names hold them too. Each pattern counts where none before it
# finds two pieces.
_SEPARATORS: Final = (
    re.compile(r"\s+[-\u2010-\u2015\u2212]\s+"),
    re.compile(r"\s+vs?\.?\s+", re.IGNORECASE),
    re.compile(r"[\u2013\u2014]"),
)
# A piece that is no team by itself belongs to the name before it: "Porto - B", "Lyon - U19".
_ADDITIONS: Final = re.compile(r"\(?(?:b|ii|iii|w|women|f|u-?\d{2}|reserves?|res\.?|srl|youth)\)?", re.IGNORECASE)


def two_teams(text: str) -> tuple[str, str] | None:
    """Return the teams of "Home - Away", the home side first; None where there are not two.

    Dashes of any length, "v" and "vs" part them. Of more pieces than two, those after the first are the away side.
    """
    whole = plain_text(text)
    found = (_pieces(whole, separator) for separator in _SEPARATORS)
    return next(((one[0], " - ".join(one[1:])) for one in found if len(one) > 1), None)


def _pieces(text: str, separator: re.Pattern[str]) -> list[str]:
    pieces: list[str] = []
    for piece in filter(None, separator.split(text)):
        if pieces and _ADDITIONS.fullmatch(piece):
            pieces[-1] = f"{pieces[-1]} {piece}"
        else:
            pieces.append(piece)
    return pieces
