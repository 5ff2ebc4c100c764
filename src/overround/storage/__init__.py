"""The durable way to the database: journal, write queue, write handler, and the records that travel it."""

from overround.records.batch import (
    ConfirmedSnapshot,
    CurrentMarketData,
    CurrentMarkets,
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
    "CurrentMarkets",
    "EventScrapeStatus",
    "ListingWriteData",
    "MarketWriteData",
    "ScrapeRun",
    "SnapshotWriteData",
    "WriteBatch",
]
