"""From the batches of one transaction to the rows of its statements."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice

import msgspec

from overround.batch import (
    CurrentMarkets,
    EventScrapeStatus,
    ListingWriteData,
    ScrapeRun,
    SnapshotWriteData,
    WriteBatch,
    current_columns,
    microseconds,
)
from overround.errors import ContentError
from overround.event import Event
from overround.storage.copy_format import (
    HEADER,
    NULL,
    TRAILER,
    TextArrays,
    bigint,
    instant,
    instants,
    integers,
    raw,
    row,
    smallint,
    smallints,
)
from overround.writing import StampedBatch

_ROWS_A_PIECE = 64  # some 500 kB of the latest state, encoded in about 7 ms

SNAPSHOT_COLUMNS = (
    "id",
    "event_id",
    "scrape_run_id",
    "captured_at",
    "last_confirmed_at",
    "bookmaker_id",
    "body_hash",
    "market_ids",
    "specifiers",
    "counts",
    "prices",
)
LATEST_COLUMNS = (
    "event_id",
    "bookmaker_id",
    "snapshot_id",
    "captured_at",
    "epoch",
    "seq",
    "body_hash",
    "market_ids",
    "specifiers",
    "counts",
    "prices",
    "changed_at",
    "confirmed_at",
)


class Numbers:
    """The bookmakers' database ids."""

    def __init__(self, by_slug: Mapping[str, int]) -> None:
        self._by_slug = dict(by_slug)
        self._by_number = {number: slug for slug, number in by_slug.items()}

    def of(self, slug: str) -> int:
        """Return a bookmaker's id.

        Raises:
            ContentError: no such bookmaker is registered.
        """
        try:
            return self._by_slug[slug]
        except KeyError:
            raise ContentError(f"no bookmaker {slug!r} is registered") from None

    def slug(self, number: int) -> str:
        """Return the bookmaker that has this id."""
        return self._by_number[number]


class Load:
    """What COPY takes of one transaction's snapshots, encoded piece by piece as it is asked for."""

    def __init__(self, batches: Sequence[StampedBatch], numbers: Numbers) -> None:
        self._numbers = numbers
        self._texts = TextArrays()
        self._all = [(stamped, snapshot) for stamped in batches for snapshot in stamped.batch.snapshots]

    @property
    def snapshots(self) -> int:
        """Return how many snapshots there are."""
        return len(self._all)

    @property
    def markets(self) -> int:
        """Return how many market changes there are."""
        return sum(len(snapshot.markets) for _, snapshot in self._all)

    def history(self) -> Iterator[bytes]:
        """Yield all snapshots as rows of `odds_snapshots`.

        Raises:
            ContentError: a value does not fit its column, or a bookmaker is not registered.
        """
        return _pieces(_history_row(*each, self._numbers, self._texts) for each in self._all)

    def latest(self) -> Iterator[bytes]:
        """Yield the newest snapshot of each (event, bookmaker) as rows of `latest_odds`.

        Raises:
            ContentError: a value does not fit its column, or a bookmaker is not registered.
        """
        newest = {(snapshot.sr_id, snapshot.bookmaker): (stamped, snapshot) for stamped, snapshot in self._all}
        return _pieces(_latest_row(*each, self._numbers, self._texts) for each in newest.values())


def _pieces(rows: Iterator[bytes]) -> Iterator[bytes]:
    yield HEADER
    try:
        while piece := b"".join(islice(rows, _ROWS_A_PIECE)):
            yield piece
    except struct.error as error:
        raise ContentError(f"a number does not fit its column: {error}") from error
    yield TRAILER


def _history_row(stamped: StampedBatch, snapshot: SnapshotWriteData, numbers: Numbers, texts: TextArrays) -> bytes:
    changed = _columns_of(snapshot)
    return row(
        (
            raw(snapshot.snapshot_id.bytes),
            bigint(snapshot.sr_id),
            bigint(stamped.batch.scrape_run_id),
            instant(snapshot.captured_at),
            NULL,
            smallint(numbers.of(snapshot.bookmaker)),
            raw(snapshot.body_hash),
            smallints(changed.markets),
            texts.encode(changed.specifiers),
            smallints(changed.counts),
            integers(changed.prices),
        )
    )


def _latest_row(stamped: StampedBatch, snapshot: SnapshotWriteData, numbers: Numbers, texts: TextArrays) -> bytes:
    changed, unchanged, at = _columns_of(snapshot), snapshot.unchanged, snapshot.captured_at
    now = struct.pack(">q", microseconds(at)) * len(snapshot.markets)
    return row(
        (
            bigint(snapshot.sr_id),
            smallint(numbers.of(snapshot.bookmaker)),
            raw(snapshot.snapshot_id.bytes),
            instant(at),
            bigint(stamped.epoch),
            bigint(stamped.seq),
            raw(snapshot.body_hash),
            smallints(changed.markets + unchanged.markets),
            texts.encode(changed.specifiers + unchanged.specifiers),
            smallints(changed.counts + unchanged.counts),
            integers(changed.prices + unchanged.prices),
            instants(now + unchanged.changed_at),
            # A complete body confirms every market: the rule, and then there is nothing to write down.
            instants(now + unchanged.confirmed_at if unchanged.confirmed_at else b""),
        )
    )


def _columns_of(snapshot: SnapshotWriteData) -> CurrentMarkets:
    markets = snapshot.markets
    return current_columns(
        markets=[market.market for market in markets],
        specifiers=[market.specifiers for market in markets],
        prices=[market.prices for market in markets],
    )


def confirmation_columns(batches: Sequence[StampedBatch], numbers: Numbers) -> tuple[list[object], ...]:
    """Return the columns of all confirmations."""
    confirmed = [one for stamped in batches for one in stamped.batch.confirmed]
    return _columns((one.sr_id, numbers.of(one.bookmaker), one.confirmed_at) for one in confirmed)


def status_columns(batches: Sequence[StampedBatch], numbers: Numbers) -> tuple[list[object], ...]:
    """Return the columns of the statuses."""
    return _columns(
        _status_row(stamped.batch.scrape_run_id, status, numbers)
        for stamped in batches
        for status in stamped.batch.statuses
    )


def _status_row(run_id: int, status: EventScrapeStatus, numbers: Numbers) -> tuple[object, ...]:
    return (
        status.scraped_at,
        run_id,
        status.sr_id,
        numbers.of(status.bookmaker),
        status.duration_ms,
        status.bytes,
        status.outcome.value,
        status.error_class,
    )


def event_columns(batches: Sequence[StampedBatch], now: datetime) -> tuple[list[object], ...]:
    """Return the columns of the events, each as its last batch has it."""
    rows = {
        event.sr_id: _event_row(stamped, event, observed_at(stamped.batch) or now)
        for stamped in batches
        for event in stamped.batch.events
    }
    return _columns(rows.values())


def _event_row(stamped: StampedBatch, event: Event, at: datetime) -> tuple[object, ...]:
    return (
        event.sr_id,
        event.sport,
        event.home,
        event.away,
        event.kickoff,
        event.country,
        event.tournament,
        event.conflict,
        at,
        at,
        stamped.epoch,
        stamped.seq,
    )


def listing_columns(batches: Sequence[StampedBatch], numbers: Numbers) -> tuple[list[object], ...]:
    """Return the columns of the listings, each as its last batch has it."""
    rows = {
        (data.listing.bookmaker, data.listing.listing_id): _listing_row(stamped, data, numbers)
        for stamped in batches
        for data in stamped.batch.listings
    }
    return _columns(rows.values())


def _listing_row(stamped: StampedBatch, data: ListingWriteData, numbers: Numbers) -> tuple[object, ...]:
    listing = data.listing
    return (
        numbers.of(listing.bookmaker),
        listing.listing_id,
        listing.sr_id,
        listing.sport,
        listing.home,
        listing.away,
        listing.kickoff,
        listing.country,
        listing.tournament,
        listing.active,
        data.duplicate,
        data.seen_at,
        data.seen_at,
        data.gone_at,
        stamped.epoch,
        stamped.seq,
    )


def run_columns(batches: Sequence[StampedBatch]) -> tuple[list[object], ...]:
    """Return the columns of the runs, each as its last batch has it."""
    rows = {
        stamped.batch.run.run_id: _run_row(stamped, stamped.batch.run)
        for stamped in batches
        if stamped.batch.run is not None
    }
    return _columns(rows.values())


def _run_row(stamped: StampedBatch, run: ScrapeRun) -> tuple[object, ...]:
    return (
        run.run_id,
        run.kind.value,
        run.status.value,
        run.started_at,
        run.finished_at,
        run.events,
        msgspec.json.encode(run.counts).decode(),
        msgspec.json.encode(run.errors).decode(),
        stamped.epoch,
        stamped.seq,
    )


def observed_at(batch: WriteBatch) -> datetime | None:
    """Return the newest instant at which anything of the batch was received; None if it holds no such thing."""
    instants: Iterable[datetime] = chain(
        (snapshot.captured_at for snapshot in batch.snapshots),
        (one.confirmed_at for one in batch.confirmed),
        (listing.seen_at for listing in batch.listings),
        (status.scraped_at for status in batch.statuses),
    )
    return max(instants, default=None)


def _columns(rows: Iterable[tuple[object, ...]]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
