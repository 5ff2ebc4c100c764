"""One file of the journal, and where in it each entry is."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from overround.storage.frames import Frame
from overround.writing import Generation


class Segment:
    """The index of one file: 24 bytes of memory for each entry.

    `size` is where the next frame goes; bytes behind it were never acknowledged. `damaged`: bytes were
    read that should hold an entry, or a header, and do not.
    """

    def __init__(self, name: str, first_seq: int, size: int, generation: Generation) -> None:
        self.name = name
        self.generation = generation
        self.delivered_at: float | None = None
        self.first_seq = first_seq
        self.size = size
        self.damaged = False
        self._seqs = array("Q")
        self._offsets = array("Q")
        self._times = array("q")

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._seqs)

    @property
    def last_seq(self) -> int:
        """Return the seq of the last entry; without one, the seq before the first that may come."""
        return self._seqs[-1] if self._seqs else self.first_seq - 1

    def add(self, frame: Frame) -> None:
        """Index a frame, which follows those indexed before."""
        self._seqs.append(frame.seq)
        self._offsets.append(frame.offset)
        self._times.append(frame.appended_at)

    def drop(self, seq: int) -> None:
        """Forget one entry."""
        place = bisect_right(self._seqs, seq) - 1
        for column in (self._seqs, self._offsets, self._times):
            del column[place]

    def count(self, after: int) -> int:
        """Return how many entries follow `after`."""
        return len(self._seqs) - bisect_right(self._seqs, after)

    def bytes_after(self, after: int) -> int:
        """Return how many bytes the entries that follow `after` take."""
        start = bisect_right(self._seqs, after)
        return self.size - self._offsets[start] if start < len(self._offsets) else 0

    def places(self, after: int) -> Iterator[tuple[int, int]]:
        """Yield seq and offset of the entries that follow `after`."""
        start = bisect_right(self._seqs, after)
        yield from zip(self._seqs[start:], self._offsets[start:], strict=True)

    def time_after(self, after: int) -> int | None:
        """Return when the first entry that follows `after` was appended, in microseconds."""
        start = bisect_right(self._seqs, after)
        return self._times[start] if start < len(self._times) else None
