"""The journal's files: all that happens in the disk's thread."""

import errno
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec
import structlog
import zstandard

from overround.errors import DamagedFilesError, JournalWriteError
from overround.ports import DiskStorage
from overround.records.writing import Generation, JournalEntry
from overround.storage.journal.damaged_files import DamagedFiles
from overround.storage.journal.disk import FileWindow
from overround.storage.journal.frames import (
    FILE_HEADER_SIZE,
    FRAME_HEADER_SIZE,
    Damage,
    FileHeader,
    Frame,
    encode_frame,
    encode_header,
    frame_at,
    packed,
    unpacked,
)
from overround.storage.journal.recovery import Loss, Recovery, Segment, loss_of, recover, segment_name

# What is skipped after a torn end: more seqs than it can have held, since the database may have seen them.
SEQ_GAP = 1_000_000
READ_BYTES = 1 << 19  # unpacked: reading more would hold up the next sync, and its rows take ten times as much memory

_COPIED_AT_ONCE = 1 << 20  # bytes

_log = structlog.get_logger(__name__)


class NewEntry(msgspec.Struct, frozen=True):
    """A batch to be written, and when it was appended, in microseconds."""

    body: bytes
    appended_at: int


class Tail(msgspec.Struct, frozen=True):
    """How much of what the database has is kept, should it forget: in bytes, and in seconds since then."""

    bytes: int = 256 << 20
    seconds: float = 600.0


class LogState(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of the log between two operations; `newest` is the last seq that can be read, 0 without one.

    `bytes` are those of the files that are needed, `tail_bytes` those of the files that are kept all the same.
    `generations` are those of which there are files, oldest first, and the present one.
    """

    newest: int = 0
    last_seq: int = 0
    pending: int = 0
    pending_bytes: int = 0
    bytes: int = 0
    tail_bytes: int = 0
    released: int = 0
    generations: tuple[Generation, ...] = ()
    oldest_at: int | None = None
    damaged_frames: int = 0
    damaged_bytes: int = 0
    damaged_files: DamagedFiles = DamagedFiles()
    restored_files: int = 0


class SegmentLog:
    """Entries in segment files, in order; one thread calls, any thread may look at `state`.

    A file that failed is never written or synced again: after a failed sync the kernel may report
    success for what it has dropped. What was not acknowledged goes to a new file, which says after
    which seq it follows; frames behind that seq in older files do not count.

    Seqs count over the log's whole life. Each opening begins a generation: its files say which it is, and
    after which seq it began. Files that the database has everything of stay for a while as a tail.

    Somebody may remove or replace a file. Each commit notices it before it returns, and copies the file
    from its descriptor, which is still open.
    """

    def __init__(
        self,
        disk: DiskStorage,
        segment_bytes: int,
        generation: uuid.UUID,
        *,
        max_bytes: int | None = None,
        tail: Tail = Tail(),  # noqa: B008 - frozen
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Take the id of the generation that this opening begins; with the tail there are at most `max_bytes`."""
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._tail = tail
        self._monotonic = monotonic
        self.generation = Generation(generation)
        self.state = LogState()
        self._segments: list[Segment] = []
        self._active: Segment | None = None
        self._committed = 0
        self._next_seq = 1
        self._next_number = 1
        self._released = 0
        self._kept_after: int | None = None
        self._damaged_frames = 0
        self._damaged_bytes = 0
        self._damaged_files = DamagedFiles()
        self._estranged: frozenset[str] = frozenset()
        self._restored_files = 0

    def open(self) -> None:
        """Take ownership, find what is there, and begin a new segment.

        Raises:
            JournalLockedError: another process has it.
            JournalFormatError: it was written by a later release.
            DamagedFilesError: it is damaged, and there is no more room for damaged files.
            OSError: the directory or a file cannot be used; nothing was changed.
        """
        self._disk.open()
        try:
            self._recover()
        except BaseException:
            self._disk.close()
            raise
        self._try_start_segment()
        self._publish()

    def close(self) -> None:
        """Give up ownership."""
        with suppress(JournalWriteError):  # which has been logged
            self.tend()
        self._disk.close()

    def tend(self) -> None:
        """Bring back what somebody removed or replaced.

        Raises:
            JournalWriteError: that did not work; the entries are safe as long as this process lives.
        """
        try:
            self._look_for_names()
            if self._estranged:
                self._bring_back()
        except OSError as error:
            _log.error("journal_restore_failed", errno=error.errno, error=str(error))
            raise JournalWriteError(min(self._estranged, default=""), error) from error

    def _bring_back(self) -> None:
        if self._active is not None and self._active.name in self._estranged:
            self._seal(_estrangement(self._active.name))
        self._restore()
        if self._active is None:
            self._try_start_segment()
        self._publish()

    def commit(self, group: Sequence[NewEntry]) -> int:
        """Write and sync a group together; return the seq of its first entry.

        Raises:
            JournalWriteError: neither the present file nor a new one took it; nothing of it is in.
        """
        frames = self._frames(group)
        self._make_room(sum(frame.end for frame in frames))
        try:
            try:
                self._write(frames)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    self._shorten_tail(lambda _: True)
                self._seal(error)
                self._write(frames)
        except OSError as error:
            self._seal(error)
            raise JournalWriteError(segment_name(self._next_seq, self._next_number - 1), error) from error
        self._publish()
        return frames[0].seq

    def read(self, after: int, limit: int) -> list[JournalEntry]:
        """Return the entries that follow `after`: at most `limit`, of one generation, about `READ_BYTES` at most."""
        entries: list[JournalEntry] = []
        size = 0
        for entry in self._entries(max(after, self._freed)):
            if entries and entry.generation != entries[0].generation:
                break
            entries.append(entry)
            size += len(entry.body)
            if len(entries) >= limit or size >= READ_BYTES:
                break
        self._publish()
        return entries

    def rewind(self, seq: int) -> None:
        """Take back that the entries after `seq` were released: they are read again, as far as they are there."""
        self._released = min(self._released, seq)
        for segment in self._segments:
            if segment.last_seq > seq:
                segment.delivered_at = None
        self._publish()

    def first_after(self, seq: int) -> int | None:
        """Return the first entry that follows `seq` and is there, released or not."""
        places = (place for one in self._segments if one.last_seq > seq for place, _ in one.places(seq))
        return next(places, None)

    def release(self, seq: int) -> None:
        """Forget the entries up to `seq`; the files that hold no others become the tail."""
        self._released = max(self._released, min(seq, self._next_seq - 1))
        self._remove_delivered()
        self._publish()

    def keep(self, after: int | None) -> None:
        """Keep the entries that follow `after`, released or not, until told otherwise; None keeps nothing."""
        self._kept_after = after
        self._remove_delivered()
        self._publish()

    @property
    def _freed(self) -> int:
        """Return the seq up to which nobody needs the entries."""
        return self._released if self._kept_after is None else min(self._released, self._kept_after)

    def _remove_delivered(self) -> None:
        """Delete the files that nobody needs, and put the damaged ones among them away."""
        newest = self._segments[-1] if self._segments else None
        full = self._active is None or self._active.size >= self._segment_bytes
        if newest is not None and full and newest.last_seq <= self._freed:
            self._try_start_segment()  # before the last file goes: the files carry the journal's identity
        now, kept, too_old = self._monotonic(), 0, 0
        for segment in reversed(self._delivered):
            if segment.delivered_at is None:
                segment.delivered_at = now
            kept += segment.size
            if kept > self._tail.bytes or now - segment.delivered_at >= self._tail.seconds:
                too_old = max(too_old, segment.last_seq)
        self._shorten_tail(lambda one: one.last_seq <= too_old)

    @property
    def _delivered(self) -> Sequence[Segment]:
        """Return the files of which the database has everything, oldest first."""
        return [one for one in self._segments if one is not self._active and one.last_seq <= self._freed]

    def _make_room(self, size: int) -> None:
        """Give up the tail, oldest first, as far as so many bytes need its room."""
        if self._max_bytes is None:
            return
        over = sum(segment.size for segment in self._segments) + size - self._max_bytes
        while over > 0 and (delivered := self._delivered):
            _log.warning("journal_tail_shortened", file=delivered[0].name, bytes=delivered[0].size)
            over -= delivered[0].size
            if not self._shorten_tail(lambda one: one is delivered[0]):
                break

    def _shorten_tail(self, goes: Callable[[Segment], bool]) -> bool:
        """Delete files of the tail; return whether that worked."""
        for segment in [one for one in self._delivered if goes(one)]:
            try:
                self._give_up(segment)
            except OSError as error:
                _log.warning("journal_remove_failed", file=segment.name, error=str(error))
                return False
        return True

    def _give_up(self, segment: Segment) -> None:
        """Delete a delivered file, or put it away where it is damaged."""
        if segment.damaged:
            self._put_away(segment.name)
        else:
            self._disk.remove(segment.name)
        self._segments.remove(segment)

    def _put_away(self, name: str) -> None:
        self._disk.put_away(name)
        self._count_damaged()
        _log.warning("journal_file_put_away", file=name, files=self._damaged_files.files)

    def _count_damaged(self) -> None:
        with suppress(OSError):  # the next look may do
            self._damaged_files = DamagedFiles.on(self._disk)

    def _recover(self) -> None:
        recovery = recover(self._disk)
        self._require_room(recovery)
        for loss in recovery.losses:
            self._report(loss)
        self._segments = recovery.segments
        self._committed = recovery.last_seq
        self._next_seq = recovery.last_seq + 1 + (SEQ_GAP if recovery.torn else 0)
        self._next_number = recovery.next_number
        self.generation = Generation(self.generation.id, self._next_seq - 1)
        if self._segments:
            # What a killed process wrote and did not sync counts from now on.
            try:
                self._disk.sync(self._segments[-1].name)
            except OSError as error:
                _log.warning("journal_sync_failed", file=self._segments[-1].name, error=str(error))

    def _require_room(self, recovery: Recovery) -> None:
        """Mark the damaged files, which will be put away; a doubtful one only while there is room.

        Raises:
            DamagedFilesError: there is none for a file that is damaged for certain.
        """
        kept = self._damaged_files = DamagedFiles.on(self._disk)
        certain, doubtful = recovery.damaged(certain=True), recovery.damaged(certain=False)
        full = kept.over or (kept.files and any(not kept.has_room_for(one.size) for one in certain))
        if full:
            raise DamagedFilesError(kept.files, kept.bytes)
        for segment in [*certain, *(one for one in doubtful if kept.has_room_for(one.size))]:
            segment.damaged = True

    def _frames(self, group: Sequence[NewEntry]) -> list[Frame]:
        return [
            Frame(
                offset=0,
                seq=seq,
                high_water=self._committed,
                appended_at=entry.appended_at,
                unpacked=len(entry.body),
                body=packed(entry.body),
            )
            for seq, entry in enumerate(group, self._next_seq)
        ]

    def _write(self, frames: Sequence[Frame]) -> None:
        self._restore()
        segment = self._active
        size = sum(frame.end for frame in frames)
        if segment is None or (len(segment) and segment.size + size > self._segment_bytes):
            segment = self._start_segment()
        placed: list[Frame] = []
        offset = segment.size
        for frame in frames:
            placed.append(msgspec.structs.replace(frame, offset=offset))
            offset = placed[-1].end
        self._disk.write(segment.name, segment.size, b"".join(encode_frame(frame) for frame in placed))
        self._disk.sync(segment.name)
        self._look_for_names()
        if self._estranged:
            raise _estrangement(min(self._estranged))
        for frame in placed:
            segment.add(frame)
        segment.size = offset
        self._committed = segment.last_seq
        self._next_seq = self._committed + 1

    def _look_for_names(self) -> None:
        """Find out which files nobody would find after this process: somebody removed, replaced or cut them."""
        self._estranged = frozenset(self._disk.estranged()).intersection(one.name for one in self._segments)

    def _restore(self) -> None:
        """Copy the files that somebody removed or replaced, as far as they are needed.

        Raises:
            OSError: one could not be copied; the next call tries again.
        """
        for segment in [one for one in self._segments if one.name in self._estranged]:
            former = segment.name
            if segment.count(self._freed):
                self._copy(segment)
                self._restored_files += 1
                _log.error("journal_file_restored", file=former, copy=segment.name, bytes=segment.size)
            else:
                self._segments.remove(segment)
            with suppress(OSError):  # whatever took the name is in nobody's way as long as this process lives
                self._put_away(former)
        self._estranged = frozenset()

    def _copy(self, segment: Segment) -> None:
        """Make a new file with the bytes of a segment, each in its place, and let it stand for the segment."""
        name = segment_name(segment.first_seq, self._next_number)
        self._next_number += 1
        window = FileWindow(self._disk, segment.name, segment.size)
        try:
            self._disk.create(name)
            for offset in range(0, segment.size, _COPIED_AT_ONCE):
                self._disk.write(name, offset, window.read(offset, min(_COPIED_AT_ONCE, segment.size - offset)))
            self._disk.sync(name)
        except OSError as error:
            self._discard(name, error)
            raise
        segment.name = name

    def _discard(self, name: str, error: OSError) -> None:
        """Remove a file that could not be made, unless it was there before."""
        if not isinstance(error, FileExistsError):
            with suppress(OSError):
                self._disk.remove(name)

    def _seal(self, error: OSError) -> None:
        segment, self._active = self._active, None
        if segment is None:
            return
        _log.warning("journal_segment_sealed", file=segment.name, errno=error.errno, error=str(error))
        with suppress(OSError):
            self._disk.truncate(segment.name, segment.size)
        if not len(segment):
            self._segments.remove(segment)
            with suppress(OSError):
                self._disk.remove(segment.name)

    def _start_segment(self) -> Segment:
        self._active = None
        name = segment_name(self._next_seq, self._next_number)
        self._next_number += 1
        header = FileHeader(
            journal_id=self.generation.id,
            base=self.generation.base,
            first_seq=self._next_seq,
            follows=self._committed,
        )
        try:
            self._disk.create(name)
            self._disk.write(name, 0, encode_header(header))
            self._disk.sync(name)
        except OSError as error:
            self._discard(name, error)
            raise
        self._active = Segment(name, self._next_seq, FILE_HEADER_SIZE, self.generation)
        self._segments.append(self._active)
        return self._active

    def _try_start_segment(self) -> None:
        """Begin a segment ahead of its first entry; where the disk refuses, the next commit tries again."""
        try:
            self._start_segment()
        except OSError as error:
            _log.warning("journal_segment_refused", errno=error.errno, error=str(error))

    def _entries(self, after: int) -> Iterator[JournalEntry]:
        for segment in [one for one in self._segments if one.last_seq > after]:
            window = FileWindow(self._disk, segment.name, segment.size)
            for seq, offset in segment.places(after):
                body = _body_at(window, offset, seq)
                if isinstance(body, bytes):
                    generation = segment.generation
                    place = seq - generation.base
                    yield JournalEntry(generation=generation.id, seq=place, position=seq, body=body)
                else:
                    segment.drop(seq)
                    segment.damaged = True
                    self._report(loss_of(segment.name, body, seq, seq, acknowledged=True))

    def _report(self, loss: Loss) -> None:
        self._damaged_frames += loss.frames
        self._damaged_bytes += loss.bytes
        _log.error("journal_damage", **msgspec.structs.asdict(loss))

    def _publish(self) -> None:
        if self._damaged_files.files:  # somebody may have cleared them
            self._count_damaged()
        pending = [segment for segment in self._segments if segment.count(self._released)]
        newest = next((one.last_seq for one in reversed(self._segments) if one.count(self._freed)), 0)
        tail = sum(segment.size for segment in self._delivered)
        self.state = LogState(
            newest=newest,
            last_seq=max(newest, self._released),
            pending=sum(segment.count(self._released) for segment in pending),
            pending_bytes=sum(segment.bytes_after(self._released) for segment in pending),
            bytes=sum(segment.size for segment in self._segments) - tail,
            tail_bytes=tail,
            released=self._released,
            generations=tuple(dict.fromkeys([*(one.generation for one in self._segments), self.generation])),
            oldest_at=pending[0].time_after(self._released) if pending else None,
            damaged_frames=self._damaged_frames,
            damaged_bytes=self._damaged_bytes,
            damaged_files=self._damaged_files,
            restored_files=self._restored_files,
        )


def _estrangement(name: str) -> OSError:
    return OSError(errno.ESTALE, "somebody removed, replaced or cut it", name)


def _body_at(window: FileWindow, offset: int, seq: int) -> bytes | Damage:
    frame = frame_at(window, offset)
    if isinstance(frame, Frame) and frame.seq == seq:
        with suppress(zstandard.ZstdError):
            return unpacked(frame)
    return Damage(offset=offset, end=frame.end if frame else offset + FRAME_HEADER_SIZE)
