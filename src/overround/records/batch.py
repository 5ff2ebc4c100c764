"""What travels to the database: everything a batch of scraped events changed, and nothing else."""

import struct
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate, chain, pairwise, starmap

import msgspec

from overround.records.event import Event, Listing

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_MICROSECOND = timedelta(microseconds=1)
_PRICE_BYTES = 4

UnpackedColumns = tuple[Sequence[int], Sequence[str], Sequence[tuple[int, ...]], Sequence[datetime], Sequence[datetime]]
"""Market numbers, specifiers, prices, since when each market is so, when it was last seen."""


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
    OVERTAKEN = "overtaken"  # a body whose request was sent before that of the state that is known
    LIVE = "live"
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


class CurrentMarkets(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Many `CurrentMarketData` in columns: who only passes them on makes no object of each number and time.

    Numbers are packed big-endian, as PostgreSQL takes them: `markets` and `counts` (of prices) in two bytes
    each, `prices` in four, times in eight, as microseconds since 2000. `confirmed_at` is empty where every
    market was confirmed when the snapshot was captured, as a complete body confirms them.
    """

    specifiers: tuple[str, ...] = ()
    markets: bytes = b""
    counts: bytes = b""
    prices: bytes = b""
    changed_at: bytes = b""
    confirmed_at: bytes = b""

    def __len__(self) -> int:
        """Return how many markets there are."""
        return len(self.specifiers)

    def rows(self, captured_at: datetime) -> Iterator[CurrentMarketData]:
        """Yield the markets of the snapshot that was captured then.

        Raises:
            struct.error: the columns do not fit each other.
        """
        return starmap(CurrentMarketData, zip(*self.unpacked(captured_at, Instants()), strict=True))

    def unpacked(self, captured_at: datetime, instants: "Instants") -> UnpackedColumns:
        """Return the columns, market by market, of the snapshot that was captured then.

        Raises:
            struct.error: the columns do not fit each other.
        """
        count = len(self)
        markets, counts = (struct.unpack(f">{count}h", column) for column in (self.markets, self.counts))
        prices = struct.unpack(f">{sum(counts)}i", self.prices)
        confirmed_at = instants.read(count, self.confirmed_at) if self.confirmed_at else [captured_at] * count
        return (
            markets,
            self.specifiers,
            [prices[start:end] for start, end in pairwise(accumulate(counts, initial=0))],
            instants.read(count, self.changed_at),
            confirmed_at,
        )


class Instants(dict[int, datetime]):
    """Instants by microseconds since 2000; equal ones, which are nearly all, are one object."""

    def __missing__(self, passed: int) -> datetime:
        """Make the instant when it is first asked for."""
        instant = self[passed] = _EPOCH + timedelta(microseconds=passed)
        return instant

    def read(self, count: int, packed: bytes) -> Sequence[datetime]:
        """Return so many instants of a packed column.

        Raises:
            struct.error: there are more or fewer.
        """
        return list(map(self.__getitem__, struct.unpack(f">{count}q", packed)))


def byte_planes(packed: bytes) -> bytes:
    """Return 4-byte numbers with all their first bytes in front, then the second: nearly all zeros, which compress."""
    return b"".join(packed[place::_PRICE_BYTES] for place in range(_PRICE_BYTES))


def from_byte_planes(planes: bytes) -> bytes:
    """Return what `byte_planes` was given."""
    packed, count = bytearray(len(planes)), len(planes) // _PRICE_BYTES
    for place in range(_PRICE_BYTES):
        packed[place::_PRICE_BYTES] = planes[place * count : (place + 1) * count]
    return bytes(packed)


def microseconds(instant: datetime) -> int:
    """Return an aware instant in microseconds since 2000, as PostgreSQL counts."""
    return (instant - _EPOCH) // _MICROSECOND


def current_markets(rows: Collection[CurrentMarketData], captured_at: datetime) -> CurrentMarkets:
    """Return the markets of a snapshot in columns.

    Raises:
        struct.error: a number is larger than its column takes.
    """
    return current_columns(
        markets=[row.market for row in rows],
        specifiers=[row.specifiers for row in rows],
        prices=[row.prices for row in rows],
        changed_at=[row.changed_at for row in rows],
        confirmed_at=() if all(row.confirmed_at == captured_at for row in rows) else [row.confirmed_at for row in rows],
    )


def current_columns(
    *,
    markets: Sequence[int],
    specifiers: Sequence[str],
    prices: Sequence[tuple[int, ...]],
    changed_at: Sequence[datetime] = (),
    confirmed_at: Sequence[datetime] = (),
) -> CurrentMarkets:
    """Return columns packed: of a complete latest state with `changed_at`; for `confirmed_at` see `CurrentMarkets`.

    Raises:
        struct.error: a number is larger than its column takes.
    """
    flat = list(chain.from_iterable(prices))
    return CurrentMarkets(
        specifiers=tuple(specifiers),
        markets=struct.pack(f">{len(markets)}h", *markets),
        counts=struct.pack(f">{len(prices)}h", *map(len, prices)),
        prices=struct.pack(f">{len(flat)}i", *flat),
        changed_at=_packed_instants(changed_at),
        confirmed_at=_packed_instants(confirmed_at),
    )


def _packed_instants(instants: Sequence[datetime]) -> bytes:
    if not instants:
        return b""
    known = {instant: microseconds(instant) for instant in set(instants)}  # few, and many times each
    return struct.pack(f">{len(instants)}q", *map(known.__getitem__, instants))


class SnapshotWriteData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One (event, bookmaker) whose prices changed: the changed markets, and the rest of its state."""

    snapshot_id: uuid.UUID
    sr_id: int
    bookmaker: str
    captured_at: datetime
    body_hash: bytes
    markets: tuple[MarketWriteData, ...]
    unchanged: CurrentMarkets = CurrentMarkets()


class ConfirmedSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One (event, bookmaker) that a complete body showed to be as the snapshot of that id and time left it."""

    sr_id: int
    bookmaker: str
    confirmed_at: datetime
    snapshot_id: uuid.UUID
    captured_at: datetime


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
    """What a run did at one bookmaker, in snapshots.

    `live` bodies show an event in play, and their prices are left out. `withdrawn` are the prices of listings that
    have left. Of the lists, `unreadable` counts entries that could not be read, `unlisted` those left out.
    """

    listings: int = 0
    changed: int = 0
    confirmed: int = 0
    incomplete: int = 0
    overtaken: int = 0
    failed: int = 0
    discovery_failed: int = 0
    unmapped: int = 0
    dropped: int = 0
    live: int = 0
    withdrawn: int = 0
    unreadable: int = 0
    unlisted: int = 0


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
