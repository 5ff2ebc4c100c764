"""Bodies in their parts, and those of a moment: whoever asks the same within it gets the same."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import msgspec

from overround import gzip_pieces
from overround.api.events.fragments import Fragment

MAX_BYTES: Final = 4 * 2**20
_OVERHEAD = 1000  # what an answer takes beside its bytes, about

Moment = tuple[int, ...]


class BodyPiece(msgspec.Struct, frozen=True):
    """A part of a body: made for a moment, or a fragment, which has a compressed form of its own."""

    made: bytes | Fragment

    @property
    def kept(self) -> bytes | gzip_pieces.Piece:
        """Return the part as it is kept."""
        return self.made.kept if isinstance(self.made, Fragment) else self.made

    @property
    def length(self) -> int:
        """Return how many bytes there are."""
        return self.made.length if isinstance(self.made, Fragment) else len(self.made)

    @property
    def packed(self) -> bytes | gzip_pieces.Piece:
        """Return the part as it goes into a gzip body."""
        return self.made.piece if isinstance(self.made, Fragment) else self.made


class Answer(msgspec.Struct, frozen=True, dict=True):
    """A body in its parts, each encoding put together when it is first asked for, and its ETag."""

    pieces: Sequence[BodyPiece]
    etag: str

    @cached_property
    def body(self) -> bytes:
        """Return the body as it is."""
        return gzip_pieces.plain([piece.kept for piece in self.pieces])

    @cached_property
    def packed(self) -> bytes:
        """Return the body compressed."""
        return gzip_pieces.joined([piece.packed for piece in self.pieces])


class Answers:
    """The answers of one moment by query string, up to a number of bytes; another moment forgets them."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._room = self._max_bytes = max_bytes
        self._moment: Moment = ()
        self._kept: dict[bytes, Answer] = {}

    def get(self, moment: Moment, query: bytes) -> Answer | None:
        """Return what has been answered within the moment."""
        if moment != self._moment:
            self._moment, self._kept, self._room = moment, {}, self._max_bytes
        return self._kept.get(query)

    def keep(self, moment: Moment, query: bytes, answer: Answer) -> None:
        """Keep an answer, where the moment is not over and there is room."""
        size = _OVERHEAD + sum([piece.length for piece in answer.pieces])
        if moment == self._moment and query not in self._kept and size <= self._room:
            self._kept[query] = answer
            self._room -= size
