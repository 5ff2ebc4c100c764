"""The durable way to the database: journal, write queue, write handler, and the records that travel it."""

from overround.batch import (
    ConfirmedSnapshot,
    CurrentMarketData,
    EventScrapeStatus,
    ListingWriteData,
    MarketWriteData,
    ScrapeRun,
    SnapshotWriteData,
    WriteBatch,
)

__all__ = [
    "ConfirmedSnapshot",
    "CurrentMarketData",
    "EventScrapeStatus",
    "ListingWriteData",
    "MarketWriteData",
    "ScrapeRun",
    "SnapshotWriteData",
    "WriteBatch",
]
