"""Records of the write path: batches in their order, what a write did, how the queue fares."""

import uuid
from datetime import datetime
from enum import StrEnum

import msgspec

from overround.records.batch import WriteBatch

Place = tuple[uuid.UUID, int]
"""Where a batch stands: its generation, and its seq there."""


class Generation(msgspec.Struct, frozen=True):
    """One opening of a journal: its id, and the position of the last entry before its first."""

    id: uuid.UUID
    base: int = 0


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted batch: its seq counts within its generation, from 1, its position over the journal's whole life."""

    generation: uuid.UUID
    seq: int
    position: int
    body: bytes

    @property
    def place(self) -> Place:
        """Return where it stands in the order of writes."""
        return (self.generation, self.seq)


class JournalStats(msgspec.Struct, frozen=True, kw_only=True):
    """How much the journal holds that is not yet released, and how it fares.

    `oldest_seconds` is how long ago the oldest pending entry was journalled, by the journal's own clock; 0 without one.
    `last` is the greatest position that a batch has or had. `pending_bytes` are those of the pending
    entries, `bytes` all those on disk, of at most about `max_bytes`. The damaged frames and bytes
    are those found since `open`. The append times are of the latest appends, from the call until the
    batch was durable; `write_error` says why the disk refused the latest group of batches, and is
    empty when it did not; `read_error` likewise of the latest read. `damaged_files` are kept among the
    damaged ones, with `damaged_file_bytes`. `restored_files` were removed or replaced by somebody since
    `open`, and copied from their open descriptors, the latest of them at `restored_at`.
    """

    last: int
    pending: int
    bytes: int
    oldest_seconds: float
    pending_bytes: int = 0
    max_bytes: int = 0
    damaged_frames: int = 0
    damaged_bytes: int = 0
    append_p50_ms: float = 0.0
    append_p99_ms: float = 0.0
    write_error: str = ""
    read_error: str = ""
    damaged_files: int = 0
    damaged_file_bytes: int = 0
    restored_files: int = 0
    restored_at: datetime | None = None


class Watermark(msgspec.Struct, frozen=True):
    """What the database knows of a generation: its number in the order of all, and up to which seq it has it."""

    epoch: int
    applied: int


class HistoryGap(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of a generation that the database forgot and the journal no longer has; `until` is when the last came."""

    generation: uuid.UUID
    first_seq: int
    last_seq: int
    until: datetime
    found_at: datetime


class StampedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch with its place in the order of writes, and its bytes and position where it comes from a journal.

    The write handler puts in the epoch, which is the generation's number in the database.
    `unreadable` says why the bytes could not be decoded; `batch` is empty then.
    """

    seq: int
    batch: WriteBatch
    epoch: int = 0
    position: int = 0
    body: bytes = b""
    unreadable: str = ""


class WriteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction did; `missed` are confirmations that found no stored snapshot.

    `dead` are the units of all kinds put into the dead letters, `dead_snapshots` the snapshots and
    confirmations among them; `settled` are the snapshots and confirmations of retried dead letters
    that were gone already; `held` are those that were put aside for their bookmaker.
    `applied_before` and `dead_before` are those of batches that were skipped,
    as the database recorded them. `tries` is how often a part of the transaction was tried.
    `flush_ms` is the time for copying and merging, `commit_ms` that of the COMMIT. `place` is that of
    the batch, where it was written without a journal.
    """

    batches: int
    snapshots: int
    markets: int
    confirmed: int
    missed: tuple[tuple[int, str], ...] = ()
    dead: int = 0
    dead_snapshots: int = 0
    held: int = 0
    settled: int = 0
    applied_before: int = 0
    dead_before: int = 0
    tries: int = 1
    flush_ms: float = 0.0
    commit_ms: float = 0.0
    place: Place = (uuid.UUID(int=0), 0)


class WriterState(StrEnum):
    """How the writer stands with the database."""

    RUNNING = "running"
    RETRYING = "retrying"  # the last write failed in a way that may pass
    BREAKER_OPEN = "breaker_open"  # the schema or the program is at fault: paused, but for rare probes


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A duration's distribution: count and sum since start, percentiles of the newest ones, in seconds.

    `buckets` counts those up to each bound since start, as a Prometheus histogram does.
    """

    count: int = 0
    sum: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    buckets: dict[float, int] = {}


class FillState(StrEnum):
    """How full the journal is: polling slows down from 80 %, appending waits at 100 %."""

    NORMAL = "normal"
    SLOW = "slow"
    WAITING = "waiting"


_SLOW_FROM = 80  # percent
_FULL = 100


def fill_state(percent: int) -> FillState:
    """Return what a fill level means."""
    if percent >= _FULL:
        return FillState.WAITING
    return FillState.SLOW if percent >= _SLOW_FROM else FillState.NORMAL


class HeldBookmaker(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmaker whose rows are held back, because too many of them fail for their content.

    `rows` are parts of batches, `snapshots` the snapshots and confirmations in them; `sqlstate` and `sample` are of
    a row that failed. `full` means that there is no room for more, so that the bookmaker is not polled.
    """

    bookmaker: str
    since: datetime
    sqlstate: str
    sample: str
    rows: int = 0
    bytes: int = 0
    snapshots: int = 0
    tried_at: datetime | None = None
    full: bool = False


class QueueStats(msgspec.Struct, frozen=True, kw_only=True):
    """The write queue's sums since start: in batches, except where it says snapshots.

    In snapshots and confirmations: accepted_snapshots + recovered_snapshots = applied_snapshots +
    dead_snapshots + settled_snapshots + held_snapshots + left_snapshots. Recovered are those that an earlier process
    accepted and this one has handled; settled belong to dead letters that were retried twice; held wait in the
    database until their bookmaker's content is mended.
    `retries` counts by class: retry, break, unforeseen. `dead_lettered` counts units of all kinds. `unanswered_seconds`
    is how long the database has had the present question. `change_to_committed` runs from the newest snapshot of a
    batch to its commit. `fill_percent` is of the journal's room; `journal_error` says why its disk refused the last
    append, empty where it did not. `journal_read_error`, the damaged and the restored files are those of
    `JournalStats`. `went_back_at` is when the database was last found to have forgotten something; `open_gaps` are
    the gaps of the history that this left and nobody has acknowledged.
    """

    running: bool
    pending: int
    pending_bytes: int
    oldest_pending_seconds: float
    accepted: int
    written: int
    retried: int
    dead_lettered: int
    snapshots_written: int
    markets_written: int
    confirmations_written: int
    missed_confirmations: int
    last_error: str
    state: WriterState = WriterState.RUNNING
    state_reason: str = ""
    state_since: datetime | None = None
    accepted_snapshots: int = 0
    recovered_snapshots: int = 0
    applied_snapshots: int = 0
    dead_snapshots: int = 0
    settled_snapshots: int = 0
    held_snapshots: int = 0
    left_snapshots: int = 0
    unanswered_seconds: float = 0.0
    held: tuple[HeldBookmaker, ...] = ()
    retries: dict[str, int] = {}
    bisections: int = 0
    commit: Latency = Latency()
    change_to_committed: Latency = Latency()
    fill_percent: int = 0
    fill: FillState = FillState.NORMAL
    journal_error: str = ""
    journal_read_error: str = ""
    damaged_files: int = 0
    damaged_file_bytes: int = 0
    restored_files: int = 0
    restored_at: datetime | None = None
    append_p50_ms: float = 0.0
    append_p99_ms: float = 0.0
    went_back_at: datetime | None = None
    open_gaps: int = 0
    damaged_frames: int = 0
