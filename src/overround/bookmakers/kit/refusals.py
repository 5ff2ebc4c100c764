"""Errors that a bookmaker states inside an answer with status 200: what its codes and its words mean.

Each bookmaker's folder has the table of its own codes. Only a code or a text that means it is "no such event": a
busy server that is taken for that would make events disappear.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from overround.errors import FetchError, GoneError, RefusedError, TransientFetchError

Code = TypeVar("Code")

_SHOWN: Final = 80  # characters of the bookmaker's text
_BUSY: Final = re.compile(
    r"busy|too (?:many|frequent|often)|try (?:again|later)|later|limit|throttl|frequen|overload|time.?out|timed out"
    r"|unavailable|maintenance|internal|server error|gateway",
    re.IGNORECASE,
)
_GONE: Final = re.compile(
    r"\bnot?[ _](?:such|longer|exists?)\b|not[ _]?found|does(?:n'?t| not) exist|event (?:has )?(?:ended|finished)",
    re.IGNORECASE,
)


class AnswerMeaning(StrEnum):
    """What an error inside an answer means for the request."""

    GONE = "gone"  # there is no such event (any more)
    BUSY = "busy"  # the server cannot answer now: asking again may help, asking less does
    REFUSED = "refused"  # the server does not want the request


def meaning_of(code: Code, text: str, table: Mapping[Code, AnswerMeaning]) -> AnswerMeaning:
    """Return what an error means: by the bookmaker's table, else by the words that come with it, else a refusal."""
    if code in table:
        return table[code]
    return meaning_of_text(text) or AnswerMeaning.REFUSED


def meaning_of_text(text: str) -> AnswerMeaning | None:
    """Return what an error's words mean; None where they say nothing known. Busy goes before gone."""
    if _BUSY.search(text):
        return AnswerMeaning.BUSY
    return AnswerMeaning.GONE if _GONE.search(text) else None


def error_for(meaning: AnswerMeaning, bookmaker: str, subject: str, reason: str) -> FetchError:
    """Return the classified error."""
    reason = reason.strip()[:_SHOWN]
    if meaning is AnswerMeaning.GONE:
        return GoneError(bookmaker, subject, reason)
    if meaning is AnswerMeaning.BUSY:
        return TransientFetchError(bookmaker, subject, reason, overloaded=True)
    return RefusedError(bookmaker, subject, reason)
