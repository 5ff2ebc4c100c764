"""Bodies in their parts, and those of a moment: whoever asks the same within it gets the same."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import msgspec

from overround.api.fragment import Fragment
from overround.gzip_pieces import gzipped, stored

MAX_BYTES: Final = 4 * 2**20
_OVERHEAD = 1000  # what an answer takes beside its bytes, about

Moment = tuple[int, ...]


class Piece(msgspec.Struct, frozen=True, dict=True):
    """A part of a body; of a fragment, which keeps its own compressed form, or made for a moment."""

    text: bytes
    fragment: Fragment | None = None

    @cached_property
    def packed(self) -> bytes:
        """Return the bytes as a part of a gzip body."""
        return stored(self.text) if self.fragment is None else self.fragment.deflated


class Answer(msgspec.Struct, frozen=True, dict=True):
    """A body in its parts, each encoding put together when it is first asked for, and its ETag."""

    pieces: Sequence[Piece]
    etag: str

    @cached_property
    def body(self) -> bytes:
        """Return the body as it is."""
        return b"".join([piece.text for piece in self.pieces])

    @cached_property
    def packed(self) -> bytes:
        """Return the body compressed."""
        return gzipped([piece.packed for piece in self.pieces], self.body)


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
        size = _OVERHEAD + sum([len(piece.text) for piece in answer.pieces])
        if moment == self._moment and query not in self._kept and size <= self._room:
            self._kept[query] = answer
            self._room -= size
