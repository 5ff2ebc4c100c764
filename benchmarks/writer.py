"""Measures the write handler on a real, durable PostgreSQL: market changes a second, and bytes a stored change.

Prints one JSON object. The events are invented; sizes and shares are those of real bookmakers: 180, 156 and
50 markets, half of the (event, bookmaker) pairs changed in a cycle, a changed one in about 10 % of its markets.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import uuid_utils
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.catalogue import Catalogue, Market
from overround.clock import SystemClock
from overround.db import migrate
from overround.db.embedded import running_postgres
from overround.db.engine import create_engine, driver_connection
from overround.db.repositories import BookmakerRepository
from overround.records.batch import (
    ConfirmedSnapshot,
    CurrentMarketData,
    EventScrapeStatus,
    MarketWriteData,
    ScrapeOutcome,
    SnapshotWriteData,
    WriteBatch,
    current_markets,
)
from overround.records.writing import JournalEntry, StampedBatch
from overround.runtime import settled
from overround.storage.batch_codec import encode_batch, read_entry
from overround.storage.packing import SNAPSHOT_COLUMNS, Load, Numbers
from overround.storage.write_handler import PostgresWriteHandler

MARKETS: Mapping[str, int] = MappingProxyType({"first": 180, "second": 156, "third": 50})
NUMBERS: Mapping[str, int] = MappingProxyType({"first": 1, "second": 2, "third": 3})
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
CYCLE = timedelta(minutes=5)
_CLOCK = SystemClock()
_LEAST_CHANGES_A_SECOND = 50_000
_MOST_BYTES_A_CHANGE = 50
_SIZES = """
select
    (select sum(cardinality(market_ids)) from odds_snapshots) as changes,
    sum(pg_total_relation_size(relid))::bigint as history,
    sum(pg_indexes_size(relid))::bigint as indexes,
    pg_total_relation_size('latest_odds') as latest
from pg_partition_tree('odds_snapshots')
where isleaf
"""
_KINDS = 60
_OUTCOMES = (2, 2, 2, 3, 2, 2, 3, 2, 2, 2, 3, 2, 9, 2, 2, 2, 3, 2, 2, 4)  # of a kind; the last is a correct score
_CORRECT_SCORE = 26
_WITHOUT_LINE = 20  # of the kinds
_CHANGED_SNAPSHOTS = 0.5
_LOG_OF_SHARE, _SPREAD_OF_SHARE = -2.3, 0.7  # of a changed snapshot's changed markets: median 10 %
_BATCH = 50  # events
_BACKLOG = 50  # batches a transaction, as many as the write queue reads ahead by default
_AUTOVACUUM_SHARE, _AUTOVACUUM_ROWS = 0.05, 50  # as the partitions are made


def catalogue() -> Catalogue:
    """Return 60 markets whose outcome counts are like those of football."""
    counts = [*(_OUTCOMES[number % len(_OUTCOMES)] for number in range(1, _KINDS)), _CORRECT_SCORE]
    return Catalogue(
        Market(
            number=number,
            key=f"market_{number}",
            name=f"Market {number}",
            group="main",
            outcomes=tuple(f"outcome_{index}" for index in range(count)),
        )
        for number, count in enumerate(counts, 1)
    )


class Feed:
    """Invented prices of many events, and the batches that their changes make."""

    def __init__(self, events: int, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._outcomes = {market.number: len(market.outcomes) for market in catalogue()}
        self._events = range(1, events + 1)
        self._state: dict[tuple[int, str], dict[tuple[int, str], tuple[tuple[int, ...], datetime]]] = {}
        self._rows: dict[tuple[int, str], tuple[uuid.UUID, datetime]] = {}
        self._cycle = 0

    def batches(self, batch_size: int) -> Iterator[WriteBatch]:
        """Yield one cycle's batches."""
        self._cycle += 1
        for index, start in enumerate(range(0, len(self._events), batch_size)):
            yield self._batch(index, self._events[start : start + batch_size])

    def _batch(self, index: int, events: Iterable[int]) -> WriteBatch:
        at = START + self._cycle * CYCLE + timedelta(seconds=index)
        pairs = [(event, bookmaker) for event in events for bookmaker in MARKETS]
        changed = [pair for pair in pairs if pair not in self._state or self._random.random() < _CHANGED_SNAPSHOTS]
        confirmed = set(pairs).difference(changed)
        return WriteBatch(
            scrape_run_id=self._cycle,
            batch_index=index,
            snapshots=tuple(self._snapshot(pair, at + timedelta(microseconds=i)) for i, pair in enumerate(changed)),
            confirmed=tuple(
                ConfirmedSnapshot(event, bookmaker, at, *self._rows[event, bookmaker])
                for event, bookmaker in sorted(confirmed)
            ),
            statuses=tuple(_status(event, bookmaker, at) for event, bookmaker in pairs),
        )

    def _snapshot(self, pair: tuple[int, str], at: datetime) -> SnapshotWriteData:
        state = self._state.get(pair)
        changed = self._open(pair, at) if state is None else self._move(state, at)
        self._rows[pair] = (uuid.UUID(bytes=uuid_utils.uuid7().bytes), at)
        return SnapshotWriteData(
            snapshot_id=self._rows[pair][0],
            sr_id=pair[0],
            bookmaker=pair[1],
            captured_at=at,
            body_hash=self._random.randbytes(16),
            markets=tuple(MarketWriteData(*key, self._state[pair][key][0]) for key in changed),
            unchanged=current_markets(
                [
                    CurrentMarketData(*key, prices, changed_at, at)
                    for key, (prices, changed_at) in self._state[pair].items()
                    if key not in changed
                ],
                at,
            ),
        )

    def _open(self, pair: tuple[int, str], at: datetime) -> set[tuple[int, str]]:
        keys = [
            (1 + index % _KINDS, f"line={index // _KINDS}.5" if index >= _WITHOUT_LINE else "")
            for index in range(MARKETS[pair[1]])
        ]
        self._state[pair] = {key: (self._prices(self._outcomes[key[0]]), at) for key in keys}
        return set(keys)

    def _move(
        self, state: dict[tuple[int, str], tuple[tuple[int, ...], datetime]], at: datetime
    ) -> set[tuple[int, str]]:
        share = min(self._random.lognormvariate(_LOG_OF_SHARE, _SPREAD_OF_SHARE), 1.0)
        keys = self._random.sample(sorted(state), max(1, round(share * len(state))))
        for key in keys:
            state[key] = (self._prices(len(state[key][0])), at)
        return set(keys)

    def _prices(self, outcomes: int) -> tuple[int, ...]:
        return tuple(10 * self._random.randint(105, 900) for _ in range(outcomes))


def _status(event: int, bookmaker: str, at: datetime) -> EventScrapeStatus:
    return EventScrapeStatus(
        sr_id=event, bookmaker=bookmaker, outcome=ScrapeOutcome.CHANGED, scraped_at=at, duration_ms=120, bytes=400_000
    )


class Writer:
    """Writes batches through the handler, and measures what that takes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._handler = PostgresWriteHandler(engine, catalogue(), NUMBERS, _CLOCK)
        self._journal = uuid.uuid4()
        self._seq = 0
        self._dead = 0

    async def write(self, batches: Sequence[WriteBatch], per_transaction: int) -> tuple[int, list[float]]:
        """Commit the batches, so many in a transaction; return the market changes, and each transaction's seconds.

        A transaction begins with the bytes that the journal holds, as it does in the service.
        """
        entries = [
            JournalEntry(generation=self._journal, seq=self._seq + n, position=self._seq + n, body=encode_batch(batch))
            for n, batch in enumerate(batches, 1)
        ]
        self._seq += len(entries)
        changes, seconds = 0, []
        gc.collect()
        with settled():  # as the service is; nor are the invented prices any part of what is measured
            for start in range(0, len(entries), per_transaction):
                began = _CLOCK.monotonic()
                ahead = entries[start : start + per_transaction]
                read = [await asyncio.to_thread(read_entry, entry) for entry in ahead]
                report = await self._handler.write(self._journal, read)
                seconds.append(_CLOCK.monotonic() - began)
                changes += report.markets
                self._dead += report.confirmed
        return changes, seconds

    async def bare_copy(self, batches: Sequence[WriteBatch]) -> float:
        """COPY the same history rows into a table without indexes, and nothing else; return the seconds."""
        encoded = list(Load(stamp(batches), Numbers(NUMBERS)).history())
        async with driver_connection(self._engine) as connection:
            await connection.execute("create table if not exists bare (like odds_snapshots)")
            began = _CLOCK.monotonic()
            await connection.copy_to_table("bare", source=_stream(encoded), columns=SNAPSHOT_COLUMNS, format="binary")
            return _CLOCK.monotonic() - began

    async def vacuum_if_due(self) -> None:
        """Do what autovacuum does between cycles that are minutes apart, by the rule set for the partitions."""
        async with driver_connection(self._engine) as connection:
            rows = await connection.fetchval("select count(*) from odds_snapshots")
            if self._dead > _AUTOVACUUM_ROWS + _AUTOVACUUM_SHARE * rows:
                self._dead = 0
                await connection.execute("vacuum odds_snapshots")

    async def sizes(self) -> Mapping[str, int]:
        """Return how many bytes the tables occupy, indexes and TOAST included, and the market changes stored."""
        async with driver_connection(self._engine) as connection:
            return dict(await connection.fetchrow(_SIZES))


def stamp(batches: Sequence[WriteBatch]) -> list[StampedBatch]:
    """Return batches in some order of writes."""
    return [StampedBatch(epoch=1, seq=seq, batch=batch) for seq, batch in enumerate(batches, 1)]


async def _stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def measure(events: int, cycles: int, seed: int) -> Mapping[str, object]:
    """Run the whole benchmark in a temporary database."""
    with tempfile.TemporaryDirectory(prefix="overround-bench-") as directory:
        async with running_postgres(Path(directory), ephemeral=True) as url:
            await migrate.upgrade(url)
            engine = create_engine(url, "overround benchmark")
            await BookmakerRepository(engine).register({number: (slug, slug) for slug, number in NUMBERS.items()})
            try:
                return await _measure(Writer(engine), Feed(events, seed), cycles)
            finally:
                await engine.dispose()


async def _measure(writer: Writer, feed: Feed, cycles: int) -> Mapping[str, object]:
    first_changes, first_seconds = await writer.write(list(feed.batches(_BATCH)), _BACKLOG)
    first = await writer.sizes()
    handled, bare = [], []
    for _ in range(cycles):
        batches = list(feed.batches(_BATCH))
        copied = await writer.bare_copy(batches)
        changes, seconds = await writer.write(batches, _BACKLOG)
        handled.append(changes / sum(seconds))
        bare.append(changes / copied)
        await writer.vacuum_if_due()
    live_changes, live_seconds = await writer.write(list(feed.batches(_BATCH)), 1)
    last = await writer.sizes()
    return {
        "changes_stored": last["changes"],
        "changes_per_second": {
            "first_cycle": round(first_changes / sum(first_seconds)),
            "backlog_median": round(statistics.median(handled)),
            "one_batch_a_transaction": round(live_changes / sum(live_seconds)),
            "bare_copy_median": round(statistics.median(bare)),
            "limit_at_least": _LEAST_CHANGES_A_SECOND,
        },
        "one_batch_ms": {
            "median": round(statistics.median(live_seconds) * 1000, 1),
            "max": round(max(live_seconds) * 1000, 1),
        },
        "bytes_per_change": {
            "limit_at_most": _MOST_BYTES_A_CHANGE,
            "all": round(last["history"] / last["changes"], 1),
            "of_which_indexes": round(last["indexes"] / last["changes"], 1),
            "first_cycle": round(first["history"] / first["changes"], 1),
            "later_cycles": round((last["history"] - first["history"]) / (last["changes"] - first["changes"]), 1),
        },
        "latest_odds_mb": round(last["latest"] / 1e6, 1),
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.events, arguments.cycles, arguments.seed))
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
