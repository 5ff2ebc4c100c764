"""Fakes that ship with the package, for its own tests and for those of plug-ins."""

import asyncio
import errno
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import heapify, heappush
from itertools import count

import msgspec

from overround.errors import FetchError, GoneError, JournalLockedError, MalformedError, WatermarkWentBackError
from overround.ports import Clock
from overround.records.batch import SnapshotWriteData, WriteBatch
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Offer
from overround.records.odds import MarketKey, MarketPrices
from overround.records.response import Response
from overround.records.writing import HistoryGap, StampedBatch, Watermark, WriteReport


class ManualClock:
    """A clock that stands still but for `advance` and `sleep`; implements the `Clock` port.

    `sleep` takes no time: it moves the clock to the moment at which it ends. Of several sleepers the
    one that ends first goes on first.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._stepped = timedelta(0)
        self._order = count()
        self._sleepers: list[tuple[float, int]] = []
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the instant that the clock shows."""
        return self._start + self._stepped + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._elapsed += seconds

    def step(self, by: timedelta) -> None:
        """Set the wall clock forward, or back; no time passes."""
        self._stepped += by

    async def sleep(self, seconds: float) -> None:
        """Move the clock to the end of this sleep, once no other sleep ends before it."""
        self.slept.append(seconds)
        sleeper = (self._elapsed + seconds, next(self._order))
        heappush(self._sleepers, sleeper)
        try:
            await asyncio.sleep(0)
            while self._sleepers[0] != sleeper:  # noqa: ASYNC110 - an event could not know of sleepers still to come
                await asyncio.sleep(0)
            self._elapsed = max(self._elapsed, sleeper[0])
        finally:
            self._sleepers.remove(sleeper)
            heapify(self._sleepers)


class _BoardEntry(msgspec.Struct, kw_only=True):
    listing: Listing
    markets: list[tuple[MarketKey, MarketPrices]]
    complete: bool = True
    states_id: bool = True


class ScriptedBookmaker:
    """A bookmaker whose board a test sets: client and normaliser in one, without a network.

    `failures` are raised by the next fetches of a listing, one each; while a `gate` is set for a
    listing, its fetches wait for it. `league_failure` makes discovery fail; `asked` is set by the
    first fetch.
    """

    def __init__(self, slug: str, clock: Clock) -> None:
        self.slug = slug
        self.board: dict[str, _BoardEntry] = {}
        self._requests = count(1)
        self.failures: dict[str, list[FetchError]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.league_failure: FetchError | None = None
        self.fetched: list[str] = []
        self.asked = asyncio.Event()
        self._clock = clock

    @property
    def covered(self) -> frozenset[str]:
        """Return the markets that the board has ever held."""
        return frozenset(key.market for entry in self.board.values() for key, _ in entry.markets) | self._once_covered

    _once_covered: frozenset[str] = frozenset()

    def offer(
        self,
        listing: Listing,
        markets: Mapping[MarketKey, MarketPrices],
        *,
        complete: bool = True,
        states_id: bool = True,
    ) -> None:
        """Put an event on the board, or change it; `states_id`: lists give its SportRadar id."""
        self._once_covered = self.covered
        self.board[listing.listing_id] = _BoardEntry(
            listing=listing, markets=list(markets.items()), complete=complete, states_id=states_id
        )

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield the board's listings as one league."""
        if self.league_failure is not None:
            error = self.league_failure
            yield DiscoveryFailure(
                bookmaker=self.slug, league="board", error_class=error.error_class, message=str(error)
            )
            return
        entries = [entry for entry in self.board.values() if entry.listing.sport in sports]
        yield LeagueListings(
            bookmaker=self.slug,
            league="board",
            listings=tuple(
                entry.listing if entry.states_id else msgspec.structs.replace(entry.listing, sr_id=None)
                for entry in entries
            ),
        )

    async def fetch_event(self, listing: Listing) -> Response:
        """Return the board's entry as bytes."""
        self.fetched.append(listing.listing_id)
        number = next(self._requests)
        self.asked.set()
        entry = self.board.get(listing.listing_id)
        body = msgspec.json.encode(entry)
        if listing.listing_id in self.gates:
            await self.gates[listing.listing_id].wait()
        if self.failures.get(listing.listing_id):
            raise self.failures[listing.listing_id].pop(0)
        if entry is None:
            raise GoneError(self.slug, f"event {listing.listing_id}", "not on the board")
        return Response(body=body, received_at=self._clock.now(), duration_ms=1, number=number)

    def read(self, response: Response) -> Offer:
        """Return the offer that an answer of `fetch_event` holds."""
        return self.normalise(response.body, response.received_at)

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Return the offer that a body of `fetch_event` holds."""
        try:
            entry = msgspec.json.decode(body, type=_BoardEntry)
        except msgspec.DecodeError as error:
            raise MalformedError(self.slug, "event", str(error)) from error
        return Offer(
            listing=entry.listing,
            markets=dict(entry.markets),
            complete=entry.complete and entry.listing.kickoff > at,
        )


class StoredSnapshot(msgspec.Struct, kw_only=True):
    """A changed snapshot as a `MemoryWriteHandler` holds it, with its place in the order of writes."""

    epoch: int
    seq: int
    snapshot: SnapshotWriteData
    last_confirmed_at: datetime | None = None


class MemoryWriteHandler:
    """A database in memory, as far as prices go; implements the `WriteHandler` port.

    `history` is in the order of writing, `latest` by (event, bookmaker). `failures_before` and
    `failures_after` are raised by the next writes, one each, before anything is stored or when all is:
    the latter is a commit whose reply was lost.
    """

    def __init__(self) -> None:
        self.history: list[StoredSnapshot] = []
        self.latest: dict[tuple[int, str], StoredSnapshot] = {}
        self.failures_before: list[Exception] = []
        self.failures_after: list[Exception] = []
        self.gaps: list[HistoryGap] = []
        self._marks: dict[uuid.UUID, Watermark] = {}

    async def register(self, generations: Sequence[uuid.UUID], *, late: bool = False) -> Mapping[uuid.UUID, Watermark]:
        """Number the generations that are new; return all."""
        for one in generations:
            numbers = sorted(mark.epoch for mark in self._marks.values()) or [0]
            number = [0, *numbers][-2] + 1 if late else numbers[-1] // 100 * 100 + 100
            self._marks.setdefault(one, Watermark(number, 0))
        return await self.watermarks(generations)

    async def watermarks(self, generations: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Watermark]:
        """Return how far those generations are stored that are known."""
        return {one: self._marks[one] for one in generations if one in self._marks}

    def forget(self) -> None:
        """Believe nothing: there are no beliefs."""

    async def record_gaps(self, gaps: Sequence[HistoryGap]) -> None:
        """Record what is lost."""
        self.gaps += gaps

    async def open_gaps(self) -> int:
        """Return how many gaps were recorded."""
        return len(self.gaps)

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Store the batches that were not stored before, all or none, or fail as told."""
        if self.failures_before:
            raise self.failures_before.pop(0)
        mark = self._marks.get(generation, Watermark(0, 0))
        if mark.applied < confirmed:
            raise WatermarkWentBackError(mark.applied, confirmed)
        mark = (await self.register([generation]))[generation]
        todo = [msgspec.structs.replace(one, epoch=mark.epoch) for one in batches if one.seq > mark.applied]
        for stamped in todo:
            self._insert(stamped)
        missed = [missed for stamped in todo for missed in self._confirm(stamped.batch)]
        if todo:
            self._marks[generation] = Watermark(mark.epoch, todo[-1].seq)
        if self.failures_after:
            raise self.failures_after.pop(0)
        snapshots = [snapshot for stamped in todo for snapshot in stamped.batch.snapshots]
        return WriteReport(
            batches=len(todo),
            snapshots=len(snapshots),
            markets=sum(len(snapshot.markets) for snapshot in snapshots),
            confirmed=sum(len(stamped.batch.confirmed) for stamped in todo) - len(missed),
            missed=tuple(missed),
        )

    def _insert(self, stamped: StampedBatch) -> None:
        for snapshot in stamped.batch.snapshots:
            stored = StoredSnapshot(epoch=stamped.epoch, seq=stamped.seq, snapshot=snapshot)
            self.history.append(stored)
            latest = self.latest.get((snapshot.sr_id, snapshot.bookmaker))
            if latest is None or (latest.epoch, latest.seq) < (stored.epoch, stored.seq):
                self.latest[snapshot.sr_id, snapshot.bookmaker] = stored

    def _confirm(self, batch: WriteBatch) -> Sequence[tuple[int, str]]:
        """Confirm the snapshots that are named; return those that are not there."""
        missed = []
        for confirmed in batch.confirmed:
            named = [stored for stored in self.history if stored.snapshot.snapshot_id == confirmed.snapshot_id]
            if not named:
                missed.append((confirmed.sr_id, confirmed.bookmaker))
            for stored in named:
                stored.last_confirmed_at = confirmed.confirmed_at
        return missed


class _FakeFile(msgspec.Struct):
    """`written` is what reads see; after a power cut there is `synced`, and of the writes whatever comes.

    `length` is how long its owner left it.
    """

    written: bytearray = msgspec.field(default_factory=bytearray)
    synced: bytearray = msgspec.field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes]] = []  # no bytes: a cut at that offset
    given_up: list[tuple[int, bytes]] = []  # a failed sync: no later one will make these safe
    length: int = 0


class DiskCall(StrEnum):
    """A kind of system call that a disk can fail."""

    OPEN = "open"
    STAT = "stat"
    READ = "read"
    WRITE = "write"
    FSYNC = "fsync"
    RENAME = "rename"
    UNLINK = "unlink"


class DiskFault(msgspec.Struct):
    """An error of the next calls of a kind: `skipped` of them go well first, `times` then fail."""

    call: DiskCall
    errno: int
    times: int = 1
    skipped: int = 0


class FakeDisk:
    """A directory in memory that can fail, fill up, be cut off and be damaged; implements `DiskStorage`.

    `faults` are error numbers by the number of the changing call (`calls` counts them) that is to
    fail; from `fails_from` on they all fail. `errors` fail calls by their kind, reading ones too. A
    failing write still writes its first half. `dies_at` is the call at which the owner ends: from then
    on nothing reaches the disk.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity  # bytes
        self.calls = 0
        self.faults: dict[int, int] = {}
        self.fails_from: int | None = None
        self.dies_at: int | None = None
        self.errors: list[DiskFault] = []
        self.pauses = 0
        self.put_aside: dict[str, bytes] = {}  # the damaged files
        self._files: dict[str, _FakeFile] = {}
        self._open: dict[str, _FakeFile] = {}
        self._removed: list[tuple[str, _FakeFile]] = []
        self._note = b""
        self._owned = False

    @property
    def used(self) -> int:
        """Return how many bytes all files have."""
        return sum(len(file.written) for file in self._files.values())

    def kill(self) -> None:
        """End the owner: what it wrote stays where it has a name, what it owned is free."""
        self._owned = False
        self._open.clear()

    def crash(self, choose: Callable[[int], int]) -> None:
        """Cut the power. `choose(n)` returns a number below n: which unsynced writes survive, and how much of them."""
        self.kill()
        back = choose(len(self._removed) + 1)
        self._files |= dict(self._removed[len(self._removed) - back :])
        self._removed.clear()
        for file in self._files.values():
            for offset, data in [*file.given_up, *file.unsynced]:
                if choose(2):
                    _apply(file.synced, offset, data[: 1 + choose(len(data))] if data and choose(2) else data)
            file.written = bytearray(file.synced)
            file.unsynced.clear()
            file.given_up.clear()

    def damage(self, name: str, offset: int, mask: int = 0xFF) -> None:
        """Flip bits of one byte, on disk and in memory."""
        file = self._files[name]
        for content in (file.written, file.synced):
            if offset < len(content):
                content[offset] ^= mask

    def unlink(self, name: str) -> None:
        """Take a file's name away, as somebody else does."""
        del self._files[name]

    def replace(self, name: str, content: bytes) -> None:
        """Put another file under a name, as somebody else does."""
        self._files[name] = _FakeFile(written=bytearray(content), synced=bytearray(content))

    def copy(self) -> "FakeDisk":
        """Return an unowned disk with the same files, all of it synced."""
        other = FakeDisk(self.capacity)
        for name, file in self._files.items():
            other.replace(name, bytes(file.written))
        return other

    def open(self) -> None:
        """Take ownership.

        Raises:
            JournalLockedError: somebody has it.
        """
        self._may_fail(DiskCall.OPEN)
        if self._owned:
            raise JournalLockedError("memory", os.getpid())
        self._owned = True

    def close(self) -> None:
        """Give up ownership."""
        self.kill()

    def names(self) -> Sequence[str]:
        """Return the names of the files."""
        self._may_fail(DiskCall.OPEN)
        return list(self._files)

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""
        self._may_fail(DiskCall.STAT)
        return len(self._held(name).written)

    def create(self, name: str) -> None:
        """Make an empty file; its name, and what was removed before, survive a power cut."""
        self._may_change(DiskCall.OPEN)
        if name in self._files:
            raise FileExistsError(errno.EEXIST, "file exists", name)
        self._files[name] = self._open[name] = _FakeFile()
        self._may_fail(DiskCall.FSYNC)
        self._removed.clear()

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at an offset, as much as there is room for."""
        try:
            self._may_change(DiskCall.WRITE)
        except OSError:
            if self.dies_at is None or self.calls == self.dies_at:
                self._write(name, offset, data[: len(data) // 2])
            raise
        grows = max(0, offset + len(data) - len(self._held(name).written))
        room = grows if self.capacity is None else max(0, self.capacity - self.used)
        self._write(name, offset, data[: len(data) - max(0, grows - room)])
        if grows > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self, name: str) -> None:
        """Make the writes safe; a failed sync never does, nor does a later one for the same writes."""
        file = self._held(name)
        try:
            self._may_change(DiskCall.FSYNC)
        except OSError:
            if self.dies_at is None:
                file.given_up += file.unsynced
                file.unsynced.clear()
            raise
        for offset, data in file.unsynced:
            _apply(file.synced, offset, data)
        file.unsynced.clear()

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        self._may_change(DiskCall.WRITE)
        file = self._held(name)
        del file.written[size:]
        file.length = len(file.written)
        file.unsynced.append((size, b""))

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset."""
        self._may_fail(DiskCall.READ)
        return bytes(self._held(name).written[offset : offset + size])

    def remove(self, name: str) -> None:
        """Delete a file; a power cut before the next `create` may bring it back."""
        self._may_change(DiskCall.UNLINK)
        file = self._open.pop(name, None) or self._files.get(name)
        if file is not None and self._files.get(name) is file:
            self._removed.append((name, self._files.pop(name)))

    def estranged(self) -> Sequence[str]:
        """Return the files to which their names no longer lead, or which somebody cut."""
        self._may_fail(DiskCall.STAT)
        return [
            name
            for name, file in self._open.items()
            if self._files.get(name) is not file or len(file.written) < file.length
        ]

    def put_away(self, name: str) -> None:
        """Move what stands under a name among the damaged files."""
        self._may_change(DiskCall.RENAME)
        file = self._files.pop(name, None)
        if file is not None:
            self.put_aside[name] = bytes(file.written)
        self._open.pop(name, None)

    def damaged(self) -> Sequence[int]:
        """Return the sizes of the files that were put away."""
        self._may_fail(DiskCall.OPEN)
        return [len(content) for content in self.put_aside.values()]

    def pause(self) -> None:
        """Count a pause between reads."""
        self.pauses += 1

    def _held(self, name: str) -> _FakeFile:
        if name not in self._open:
            self._may_fail(DiskCall.OPEN)
            if name not in self._files:
                raise FileNotFoundError(errno.ENOENT, "no such file", name)
            self._open[name] = self._files[name]
            self._open[name].length = len(self._files[name].written)
        return self._open[name]

    def _may_change(self, call: DiskCall) -> None:
        self.calls += 1
        fails = any(since is not None and self.calls >= since for since in (self.fails_from, self.dies_at))
        number = errno.EIO if fails else self.faults.get(self.calls, 0)
        if number:
            raise OSError(number, os.strerror(number))
        self._may_fail(call)

    def note(self, data: bytes) -> None:
        """Replace the text that is kept beside the files."""
        self._note = data

    def noted(self) -> bytes:
        """Return that text."""
        return self._note

    def _may_fail(self, call: DiskCall) -> None:
        for fault in self.errors:
            if fault.call is not call or not fault.times:
                continue
            if fault.skipped:
                fault.skipped -= 1
                continue
            fault.times -= 1
            raise OSError(fault.errno, os.strerror(fault.errno))

    def _write(self, name: str, offset: int, data: bytes) -> None:
        if data:
            file = self._held(name)
            _apply(file.written, offset, data)
            file.length = max(file.length, len(file.written))
            file.unsynced.append((offset, data))


def _apply(content: bytearray, offset: int, data: bytes) -> None:
    if not data:
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
