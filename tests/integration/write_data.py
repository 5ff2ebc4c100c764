"""Small batches for tests of the writer and of what reads its tables."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import Catalogue, Market
from overround.records.batch import (
    ConfirmedSnapshot,
    CurrentMarketData,
    EventScrapeStatus,
    ListingWriteData,
    MarketWriteData,
    RunKind,
    RunStatus,
    ScrapeOutcome,
    ScrapeRun,
    SnapshotWriteData,
    WriteBatch,
    current_markets,
)
from overround.records.event import Event, Listing
from overround.records.writing import StampedBatch

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NUMBERS = {"near": 1, "far": 2}
RESULT, TOTAL, HANDICAP = 1, 2, 3

CATALOGUE = Catalogue(
    (
        Market(number=RESULT, key="match_result", name="1X2", group="main", outcomes=("home", "draw", "away")),
        Market(number=TOTAL, key="total", name="Total", group="main", outcomes=("over", "under"), specifiers=("line",)),
        Market(number=HANDICAP, key="asian", name="Asian handicap", group="main", outcomes=("home", "away")),
    )
)


def market(number: int, specifiers: str, *prices: int) -> MarketWriteData:
    """Return a changed market."""
    return MarketWriteData(number, specifiers, prices)


def unchanged(number: int, specifiers: str, prices: tuple[int, ...], changed_at: datetime) -> CurrentMarketData:
    """Return a market that has stayed as it was, confirmed when it changed."""
    return CurrentMarketData(number, specifiers, prices, changed_at, changed_at)


def snapshot(
    at: datetime,
    *markets: MarketWriteData,
    sr_id: int = 7,
    bookmaker: str = "near",
    rest: tuple[CurrentMarketData, ...] = (),
) -> SnapshotWriteData:
    """Return a changed snapshot; without markets it has one home win price."""
    return SnapshotWriteData(
        snapshot_id=uuid.uuid4(),
        sr_id=sr_id,
        bookmaker=bookmaker,
        captured_at=at,
        body_hash=b"0123456789abcdef",
        markets=markets or (market(RESULT, "", 2100, 3200, 3500),),
        unchanged=current_markets(rest, at),
    )


def batch(*snapshots: SnapshotWriteData, confirmed: Sequence[ConfirmedSnapshot] = (), run: int = 1) -> WriteBatch:
    """Return a batch of snapshots and confirmations."""
    return WriteBatch(scrape_run_id=run, batch_index=0, snapshots=snapshots, confirmed=tuple(confirmed))


def confirmation(at: datetime, of: SnapshotWriteData) -> ConfirmedSnapshot:
    """Return a confirmation of a snapshot."""
    return ConfirmedSnapshot(of.sr_id, of.bookmaker, at, of.snapshot_id, of.captured_at)


def stamped(*batches: WriteBatch, first: int = 1) -> list[StampedBatch]:
    """Return batches in the order of writes."""
    return [StampedBatch(seq=first + index, batch=batch) for index, batch in enumerate(batches)]


def event(sr_id: int = 7, home: str = "Reds", kickoff: datetime = NOON) -> Event:
    """Return an event."""
    return Event(
        sr_id=sr_id, sport="football", home=home, away="Blues", kickoff=kickoff, country="Nigeria", tournament="Cup"
    )


def listing(listing_id: str = "L7", sr_id: int | None = 7, bookmaker: str = "near", home: str = "Reds") -> Listing:
    """Return a listing."""
    return Listing(
        bookmaker=bookmaker,
        listing_id=listing_id,
        sr_id=sr_id,
        sport="football",
        home=home,
        away="Blues",
        kickoff=NOON,
        country="Nigeria",
        tournament="Cup",
    )


def run(status: RunStatus, run_id: int = 1, events: int = 0) -> ScrapeRun:
    """Return a run of kind `cycle`."""
    return ScrapeRun(
        run_id=run_id, kind=RunKind.CYCLE, status=status, started_at=NOON, events=events, errors={"transient": 2}
    )


def descriptions(at: datetime, *, home: str = "Reds", status: RunStatus = RunStatus.RUNNING) -> WriteBatch:
    """Return a batch with one event, one listing, one status and its run, and no prices."""
    return WriteBatch(
        scrape_run_id=1,
        batch_index=0,
        events=(event(home=home),),
        listings=(ListingWriteData(listing=listing(home=home), seen_at=at),),
        statuses=(
            EventScrapeStatus(
                sr_id=7, bookmaker="near", outcome=ScrapeOutcome.CHANGED, scraped_at=at, duration_ms=80, bytes=2000
            ),
        ),
        run=run(status),
    )


async def rows(engine: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]
