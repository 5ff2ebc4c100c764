"""From the batches of one transaction to the rows of its statements."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from itertools import chain, islice

import msgspec

from overround.errors import ContentError
from overround.records.batch import (
    CurrentMarkets,
    EventScrapeStatus,
    ListingWriteData,
    ScrapeRun,
    SnapshotWriteData,
    WriteBatch,
    byte_planes,
    current_columns,
    microseconds,
)
from overround.records.event import Event
from overround.records.writing import StampedBatch
from overround.storage.copy_format import (
    HEADER,
    NULL,
    TRAILER,
    TextArrays,
    bigint,
    instant,
    integer,
    integers,
    raw,
    row,
    smallint,
    smallints,
)

EPOCH_STEP = 100  # from one number of the sequence to the next: those between were given out late
_ROWS_A_PIECE = 64  # some 300 kB of the latest state

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
    "epoch",
    "seq",
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


class _Entry:
    """A snapshot, where it stands in the order, and its changed markets in columns once they were asked for."""

    def __init__(self, stamped: StampedBatch, snapshot: SnapshotWriteData) -> None:
        self.stamped = stamped
        self.snapshot = snapshot

    @cached_property
    def changed(self) -> CurrentMarkets:
        markets = self.snapshot.markets
        return current_columns(
            markets=[market.market for market in markets],
            specifiers=[market.specifiers for market in markets],
            prices=[market.prices for market in markets],
        )


class Load:
    """The snapshots of one transaction, encoded piece by piece as they are asked for."""

    def __init__(self, batches: Sequence[StampedBatch], numbers: Numbers) -> None:
        self._numbers = numbers
        self._texts = TextArrays()
        self._all = [_Entry(stamped, snapshot) for stamped in batches for snapshot in stamped.batch.snapshots]

    @property
    def snapshots(self) -> int:
        """Return how many snapshots there are."""
        return len(self._all)

    @property
    def markets(self) -> int:
        """Return how many market changes there are."""
        return sum(len(entry.snapshot.markets) for entry in self._all)

    def history(self) -> Iterator[bytes]:
        """Yield all snapshots as rows of `odds_snapshots`, as COPY takes them.

        Raises:
            ContentError: a value does not fit its column, or a bookmaker is not registered.
        """
        rows = (_history_row(entry, self._numbers, self._texts) for entry in self._all)
        yield HEADER
        with _fitting():
            while piece := b"".join(islice(rows, _ROWS_A_PIECE)):
                yield piece
        yield TRAILER

    def latest(self) -> Iterator[tuple[list[object], ...]]:
        """Yield the newest snapshot of each (event, bookmaker) in columns of `latest_odds`.

        Raises:
            ContentError: a value does not fit its column, or a bookmaker is not registered.
        """
        newest = {(entry.snapshot.sr_id, entry.snapshot.bookmaker): entry for entry in self._all}
        rows = (_latest_row(entry, self._numbers) for entry in newest.values())
        with _fitting():
            while columns := _columns(islice(rows, _ROWS_A_PIECE)):
                yield columns


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except struct.error as error:
        raise ContentError(f"a number does not fit its column: {error}") from error


def _history_row(entry: _Entry, numbers: Numbers, texts: TextArrays) -> bytes:
    snapshot, changed = entry.snapshot, entry.changed
    return row(
        (
            raw(snapshot.snapshot_id.bytes),
            bigint(snapshot.sr_id),
            bigint(entry.stamped.batch.scrape_run_id),
            instant(snapshot.captured_at),
            NULL,
            smallint(numbers.of(snapshot.bookmaker)),
            raw(snapshot.body_hash),
            smallints(changed.markets),
            texts.encode(changed.specifiers),
            smallints(changed.counts),
            integers(changed.prices),
            integer(entry.stamped.epoch),
            integer(entry.stamped.seq),
        )
    )


def _latest_row(entry: _Entry, numbers: Numbers) -> tuple[object, ...]:
    snapshot, changed, unchanged = entry.snapshot, entry.changed, entry.snapshot.unchanged
    now = struct.pack(">q", microseconds(snapshot.captured_at)) * len(changed)
    return (
        snapshot.sr_id,
        numbers.of(snapshot.bookmaker),
        snapshot.snapshot_id,
        snapshot.captured_at,
        entry.stamped.epoch,
        entry.stamped.seq,
        snapshot.body_hash,
        changed.markets + unchanged.markets,
        _joined(changed.specifiers + unchanged.specifiers),
        changed.counts + unchanged.counts,
        byte_planes(changed.prices + unchanged.prices),
        now + unchanged.changed_at,
        # A complete body confirms every market: the rule, and then there is nothing to write down.
        now + unchanged.confirmed_at if unchanged.confirmed_at else b"",
    )


def _joined(specifiers: Sequence[str]) -> str:
    """Return specifiers in one text, a line each.

    Raises:
        ContentError: one holds a line break.
    """
    text = "\n".join((*specifiers, ""))
    if text.count("\n") != len(specifiers):
        raise ContentError("the specifiers of a market hold a line break")
    return text


def confirmation_columns(batches: Sequence[StampedBatch], numbers: Numbers) -> tuple[list[object], ...]:
    """Return the columns of all confirmations; those that dead letters or former journals bring are late."""
    return _columns(
        (
            one.sr_id,
            numbers.of(one.bookmaker),
            one.confirmed_at,
            one.snapshot_id,
            one.captured_at,
            stamped.batch.dead_letter is not None or stamped.epoch % EPOCH_STEP != 0,
        )
        for stamped in batches
        for one in stamped.batch.confirmed
    )


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
