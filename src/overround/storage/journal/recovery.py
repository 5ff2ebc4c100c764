"""The index of a journal file, and its recovery from the bytes that an earlier process left."""

import re
import uuid
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from overround.errors import JournalFormatError
from overround.ports import DiskStorage
from overround.records.writing import Generation
from overround.storage.journal.disk import FileWindow
from overround.storage.journal.frames import (
    FILE_HEADER_SIZE,
    FORMAT_VERSION,
    FRAME_HEADER_SIZE,
    Damage,
    FileHeader,
    Frame,
    decode_headers,
    scan,
)


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


SUFFIX = ".journal"

_LOOKED_AT = 1 << 16  # bytes
_NAME = re.compile(r"(\d{20})-(\d{8,})" + re.escape(SUFFIX))


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that hold no entry although they should, and the seqs they cost.

    `last_seq` is None at the very end of the journal, where nothing tells how many there were; both
    are None where no entry was lost. `acknowledged`: the entries are known to have been synced; if
    not, they may be a write that was never completed, and look like one where they are `torn`.
    """

    file: str
    offset: int
    bytes: int
    first_seq: int | None = None
    last_seq: int | None = None
    acknowledged: bool = False
    torn: bool = False

    @property
    def certain(self) -> bool:
        """Tell whether this is damage for certain: of entries that were synced, or of a header."""
        return self.acknowledged or (self.first_seq is None and not self.torn)

    @property
    def frames(self) -> int:
        """Return how many entries were lost; one where the number is not known."""
        if self.first_seq is None:
            return 0
        return 1 if self.last_seq is None else self.last_seq - self.first_seq + 1


class Recovery(msgspec.Struct, kw_only=True):
    """Everything found; `torn`: the journal does not end with a sound frame."""

    segments: list[Segment] = []
    losses: list[Loss] = []
    last_seq: int = 0
    next_number: int = 1
    torn: bool = False

    def damaged(self, *, certain: bool) -> Sequence[Segment]:
        """Return the segments that are damaged for certain, or those where the end may be damage or a torn write."""
        losses = [one for one in self.losses if not one.torn or one.acknowledged]
        known = {one.file for one in losses if one.certain}
        wanted = known if certain else {one.file for one in losses} - known
        return [one for one in self.segments if one.name in wanted]


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: int
    copies: Sequence[FileHeader | None]
    header: FileHeader | None
    first_seq: int
    follows: int


def segment_name(first_seq: int, number: int) -> str:
    """Return a file's name; in the order of their names, files are in the order of their making."""
    return f"{first_seq:020d}-{number:08d}{SUFFIX}"


def recover(disk: DiskStorage) -> Recovery:
    """Pass over all segments, oldest first; changes nothing.

    Raises:
        JournalFormatError: a file is of a format that this release does not know.
        OSError: a file cannot be opened or read, which says nothing about its bytes.
    """
    found = [_look_at(disk, name) for name in sorted(disk.names()) if _NAME.fullmatch(name)]
    recovery = Recovery()
    generations = _generations(found)
    for this, following in zip(found, [*found[1:], None], strict=False):  # without files there is one None too many
        recovery.losses += _header_losses(this)
        _load(recovery, disk, this, following.follows if following else None, generations[this.name])
    recovery.next_number = max((_number(one.name) for one in found), default=0) + 1
    return recovery


def _generations(found: Sequence[_Found]) -> Mapping[str, Generation]:
    """Return each file's generation; one whose header is lost is of the generation of a file beside it."""
    stated = {one.name: _generation(one.header) for one in found if one.header is not None}
    known: dict[str, Generation] = {}
    before: Generation | None = None
    for this in found:
        after = (stated[one.name] for one in found if one.name in stated and one.name > this.name)
        beside = before or next((one for one in after if one.base < this.first_seq), None)
        before = known[this.name] = stated.get(this.name) or beside or Generation(uuid.uuid4(), this.first_seq - 1)
    return known


def _generation(header: FileHeader) -> Generation:
    """Return what a header says; where it has a time in place of a seq, the journal was a single generation."""
    return Generation(header.journal_id, header.base if header.base < header.first_seq else 0)


def _number(name: str) -> int:
    return int(name.removesuffix(SUFFIX).partition("-")[2])


def _look_at(disk: DiskStorage, name: str) -> _Found:
    size = disk.size(name)
    copies = decode_headers(FileWindow(disk, name, size).read(0, FILE_HEADER_SIZE))
    header = next((copy for copy in copies if copy is not None), None)
    if header is not None and header.version != FORMAT_VERSION:
        raise JournalFormatError(name, header.version)
    first_seq = header.first_seq if header else int(name.partition("-")[0])
    follows = header.follows if header else first_seq - 1
    return _Found(name=name, size=size, copies=copies, header=header, first_seq=first_seq, follows=follows)


def _header_losses(found: _Found) -> Iterator[Loss]:
    half = FILE_HEADER_SIZE // 2
    torn = found.size == FILE_HEADER_SIZE  # no entry behind it: the power may have failed before it was synced
    for place, copy in enumerate(found.copies):
        if copy is None and found.size >= FILE_HEADER_SIZE:
            yield Loss(file=found.name, offset=place * half, bytes=half, torn=torn)


def _load(recovery: Recovery, disk: DiskStorage, found: _Found, limit: int | None, generation: Generation) -> None:
    """Index a segment up to seq `limit`: what a later segment follows. Later frames were never acknowledged."""
    segment = Segment(found.name, found.first_seq, found.size, generation)
    previous = max(recovery.last_seq, found.first_seq - 1)
    synced = limit or 0
    lost: list[Loss] = []
    held: list[Damage] = []
    window = FileWindow(disk, found.name, found.size)
    for piece in scan(window, FILE_HEADER_SIZE):
        if isinstance(piece, Damage):
            held.append(piece)
        elif previous < piece.seq and (limit is None or piece.seq <= limit):
            gap = held or [Damage(offset=piece.offset, end=piece.offset)]
            lost += _losses(found.name, gap, previous, piece.seq - 1)
            held.clear()
            segment.add(piece)
            previous = piece.seq
            synced = max(synced, piece.high_water)
    end = held if limit is None else held or [Damage(offset=found.size, end=found.size)]
    lost += _losses(found.name, end, previous, limit)
    torn = limit is None and all(_is_torn(window, damage) for damage in held)
    recovery.losses += [
        msgspec.structs.replace(
            loss,
            acknowledged=loss.first_seq is not None and loss.first_seq <= synced,
            torn=torn and loss.offset >= held[0].offset if held else False,
        )
        for loss in lost
    ]
    recovery.torn = bool(held) or found.size < FILE_HEADER_SIZE
    recovery.last_seq = previous
    recovery.segments.append(segment)


def _is_torn(window: FileWindow, damage: Damage) -> bool:
    """Tell whether bytes at the very end look like a write cut short: half a frame, or a length without its data."""
    size = damage.end - damage.offset
    short = damage.end == window.size and size < FRAME_HEADER_SIZE
    return damage.cut or short or not any(window.read(damage.offset, min(size, _LOOKED_AT)))


def _losses(file: str, damages: Sequence[Damage], previous: int, last: int | None) -> Iterator[Loss]:
    """Yield which of the seqs between `previous` and `last` each piece of damage cost."""
    for damage, following in zip(damages, [*damages[1:], None], strict=False):
        first_lost, last_lost = previous + 1, last
        if damage.seq is not None:
            first_lost = last_lost = damage.seq
        elif following is not None and following.seq is not None:
            last_lost = following.seq - 1
        if previous < first_lost and _reaches(first_lost, last_lost, last):
            yield loss_of(file, damage, first_lost, last_lost)
            previous = first_lost if last_lost is None else last_lost


def _reaches(first: int, last: int | None, limit: int | None) -> bool:
    return last is None or (first <= last and (limit is None or last <= limit))


def loss_of(file: str, damage: Damage, first: int, last: int | None, *, acknowledged: bool = False) -> Loss:
    """Return what a piece of damage cost."""
    size = damage.end - damage.offset
    return Loss(file=file, offset=damage.offset, bytes=size, first_seq=first, last_seq=last, acknowledged=acknowledged)
