"""What travels to the database: everything a batch of scraped events changed, and nothing else."""

import uuid
from datetime import datetime
from enum import StrEnum

import msgspec

from overround.event import Event, Listing


class RunKind(StrEnum):
    """What a run covers: everything with discovery, known events near kick-off, one event, or what failed before."""

    CYCLE = "cycle"
    NEAR = "near"
    EVENT = "event"
    RETRY = "retry"


class RunStatus(StrEnum):
    """How far a scrape run came."""

    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ScrapeOutcome(StrEnum):
    """What became of one (event, bookmaker) in a run."""

    CHANGED = "changed"
    CONFIRMED = "confirmed"
    INCOMPLETE = "incomplete"
    STALE = "stale"
    FAILED = "failed"


class MarketWriteData(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One market's new prices; `market` is the catalogue number, `prices` as in `MarketPrices`."""

    market: int
    specifiers: str
    prices: tuple[int, ...]


class CurrentMarketData(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A market that stayed as it was, with its own times: it belongs to the latest state only."""

    market: int
    specifiers: str
    prices: tuple[int, ...]
    changed_at: datetime
    confirmed_at: datetime


class SnapshotWriteData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One (event, bookmaker) whose prices changed: the changed markets, and the rest of its state."""

    snapshot_id: uuid.UUID
    sr_id: int
    bookmaker: str
    captured_at: datetime
    body_hash: bytes
    markets: tuple[MarketWriteData, ...]
    unchanged: tuple[CurrentMarketData, ...] = ()


class ConfirmedSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One (event, bookmaker) that a complete body showed to be as it was."""

    sr_id: int
    bookmaker: str
    confirmed_at: datetime


class ListingWriteData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listing that is new, or has changed, or has vanished (`gone_at`)."""

    listing: Listing
    seen_at: datetime
    gone_at: datetime | None = None
    duplicate: bool = False


class EventScrapeStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row for each (run, event, bookmaker); `error_class` is empty unless the scrape failed."""

    sr_id: int
    bookmaker: str
    outcome: ScrapeOutcome
    scraped_at: datetime
    duration_ms: int
    bytes: int
    error_class: str = ""


class BookmakerCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a run did at one bookmaker, in snapshots."""

    listings: int = 0
    changed: int = 0
    confirmed: int = 0
    incomplete: int = 0
    stale: int = 0
    failed: int = 0
    discovery_failed: int = 0
    unmapped: int = 0
    dropped: int = 0


class ScrapeRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A scrape run as it stands."""

    run_id: int
    kind: RunKind
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    events: int = 0
    counts: dict[str, BookmakerCounts] = {}
    errors: dict[str, int] = {}


class WriteBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One batch of one run; the unit that is journalled.

    `dead_letter` is set where the batch brings back the content of that dead letter: it is applied
    only together with the letter's removal, in the letter's place in the order of writes.
    """

    scrape_run_id: int
    batch_index: int
    snapshots: tuple[SnapshotWriteData, ...] = ()
    confirmed: tuple[ConfirmedSnapshot, ...] = ()
    events: tuple[Event, ...] = ()
    listings: tuple[ListingWriteData, ...] = ()
    statuses: tuple[EventScrapeStatus, ...] = ()
    run: ScrapeRun | None = None
    dead_letter: int | None = None
