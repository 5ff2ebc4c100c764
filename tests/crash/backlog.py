"""A journal as a long outage leaves it, and the service that has to take it over."""

import asyncio
import itertools
import random
import signal
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from overround.catalogue import load_catalogue
from overround.clock import SystemClock
from overround.records.batch import (
    CurrentMarketData,
    CurrentMarkets,
    MarketWriteData,
    SnapshotWriteData,
    WriteBatch,
    current_markets,
)
from overround.records.event import Event
from overround.storage.batch_codec import encode_batch
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.segmented import SegmentedJournal
from tests.crash.journalled import Journalled, behind
from tests.crash.service import ServiceProcess, Site, site
from tests.crash.table import Row

_EVENTS, _BOOKMAKERS = 1300, ("betpawa", "sportybet", "bet9ja")
_MARKETS, _CHANGED = 120, 20  # of a snapshot
_STOCK = 307
_SNAPSHOTS = 100  # in a batch
_AT_ONCE = 50  # batches
_CYCLE = timedelta(seconds=30)
_MEGABYTE = 1_000_000
_ROOM = 1 << 40
_POLL = 0.05  # seconds
_CLOCK = SystemClock()

_MOST_SECONDS = 5.0  # more than with an empty journal: until it answers, and until the first batch is applied
_MOST_MEMORY = 400 * _MEGABYTE  # of the whole process, with the cache of 1,300 events at 3 bookmakers
_PERCENTS_SEEN = 2

Key = tuple[int, str]
Offer = tuple[tuple[MarketWriteData, ...], CurrentMarkets]


class _Seen(msgspec.Struct, kw_only=True):
    """What was seen of a service that recovers; seconds are counted from the start of its process."""

    live: float = 0.0
    applied: float = 0.0
    ready: float = 0.0
    memory: int = 0
    slowest: float = 0.0
    percents: set[int] = set()


class _Market:
    """Batches of a market of many events, whose prices are drawn from a stock of whole offers."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a drill must be repeatable
        self._start = _CLOCK.now().replace(microsecond=0) - timedelta(days=1)
        catalogue = load_catalogue()
        known = [market for number in range(1, 1000) if (market := catalogue.numbered(number)) is not None]
        self._shapes = [(one.number, len(one.outcomes)) for one in known if not one.specifiers][:_MARKETS]
        self._stock = [self._offer() for _ in range(_STOCK)]
        self._keys = [(sr_id, slug) for sr_id in range(1, _EVENTS + 1) for slug in _BOOKMAKERS]
        self.newest: dict[Key, SnapshotWriteData] = {}

    def batches(self) -> Iterator[WriteBatch]:
        """Yield batches without end, cycle after cycle; the first one brings the events."""
        kickoff = _CLOCK.now().replace(microsecond=0) + timedelta(days=2)
        names = {"sport": "football", "country": "Nowhere", "tournament": "League", "home": "Home", "away": "Away"}
        events = tuple(Event(sr_id=sr_id, kickoff=kickoff, **names) for sr_id in range(1, _EVENTS + 1))
        for cycle in itertools.count():
            for first in range(0, len(self._keys), _SNAPSHOTS):
                snapshots = tuple(self._snapshot(cycle, place) for place in range(first, first + _SNAPSHOTS))
                yield WriteBatch(scrape_run_id=cycle + 1, batch_index=first, snapshots=snapshots, events=events)
                events = ()

    def _snapshot(self, cycle: int, place: int) -> SnapshotWriteData:
        sr_id, slug = key = self._keys[place]
        markets, unchanged = self._stock[(place + cycle * _SNAPSHOTS) % _STOCK]
        self.newest[key] = SnapshotWriteData(
            snapshot_id=uuid.uuid4(),
            sr_id=sr_id,
            bookmaker=slug,
            captured_at=self._start + cycle * _CYCLE,
            body_hash=b"0123456789abcdef",
            markets=markets,
            unchanged=unchanged,
        )
        return self.newest[key]

    def _offer(self) -> Offer:
        prices = [
            (number, "", tuple(self._random.randint(1010, 30_000) for _ in range(outcomes)))
            for number, outcomes in self._shapes
        ]
        confirmed_at = self._start + timedelta(days=2)  # by every body: none lags behind
        rest = [CurrentMarketData(*market, self._start, confirmed_at) for market in prices[_CHANGED:]]
        return tuple(MarketWriteData(*market) for market in prices[:_CHANGED]), current_markets(rest, confirmed_at)


async def large_backlog(size: int, seed: int) -> Row:
    """Start the service on a journal of `size` bytes: live at once, applying soon, ready with the right prices."""
    async with site() as place:
        await _start_time(place)  # makes the database
        bare = await _start_time(place)
        market = _Market(seed)
        batches = await _fill(place.data_dir / "journal", market, size)
        began = _CLOCK.monotonic()
        async with place.service(cycles=False) as service:
            seen = await _watch(service, began)
            answer = await service.events()
            faults = [*_faults(seen, bare), *behind(answer, _shown(answer, market.newest))]
            await service.end(signal.SIGKILL)
    return Row(
        promise="P18",
        drill=f"journal of {size / _MEGABYTE:,.0f} MB at start",
        trials=f"{batches:,} batches, {batches * _SNAPSHOTS:,} snapshots in the journal",
        faults={"start": 1},
        broken="; ".join(faults),
        notes=f"ready after {bare:.1f} s with an empty journal; with this one live after {seen.live:.1f} s, "
        f"applying after {seen.applied:.1f} s, ready after {seen.ready:.1f} s; "
        f"at most {seen.memory / _MEGABYTE:.0f} MB of memory; slowest answer meanwhile {seen.slowest * 1000:.0f} ms",
    )


async def _start_time(place: Site) -> float:
    """Return how many seconds the service takes from the start of its process until it is ready."""
    began = _CLOCK.monotonic()
    async with place.service(cycles=False) as service:
        await service.ready()
        seconds = _CLOCK.monotonic() - began
        await service.end(signal.SIGTERM)
    return seconds


async def _fill(folder: Path, market: _Market, size: int) -> int:
    """Fill a journal, and return the number of its batches."""
    journal = SegmentedJournal(LocalDisk(folder), _CLOCK, max_bytes=_ROOM)
    await journal.open()
    batches = market.batches()
    while journal.stats().pending_bytes < size:
        await asyncio.gather(*(journal.append(encode_batch(next(batches))) for _ in range(_AT_ONCE)))
    stats = journal.stats()
    await journal.close()
    return stats.pending


async def _watch(service: ServiceProcess, began: float) -> _Seen:
    """Ask a service until it has caught up."""
    seen = _Seen()
    await service.ask("/health/live")
    seen.live = _CLOCK.monotonic() - began
    while not seen.ready:
        asked = _CLOCK.monotonic()
        _, status = await service.ask("/api/status")
        seen.slowest = max(seen.slowest, _CLOCK.monotonic() - asked)
        seen.memory = max(seen.memory, service.memory())
        _, queue = await service.ask("/api/queue")
        now = _CLOCK.monotonic() - began
        seen.applied = seen.applied or (now if queue["written"] else 0.0)
        if status["recovery"] is None:
            seen.ready = now
        else:
            seen.percents.add(status["recovery"]["percent"])
            await service.lasts(_POLL)
    return seen


def _faults(seen: _Seen, bare: float) -> list[str]:
    """Return what was not as it should be; times are judged against those of a start with an empty journal."""
    latest = bare + _MOST_SECONDS
    faults = {
        f"live after {seen.live:.1f} s": seen.live > latest,
        f"applying after {seen.applied:.1f} s": not 0 < seen.applied < latest,
        f"{seen.memory:,} bytes of memory": seen.memory > _MOST_MEMORY,
        "told of no progress": len(seen.percents) < _PERCENTS_SEEN,
    }
    return [fault for fault, present in faults.items() if present]


def _shown(answer: Any, newest: Journalled) -> Journalled:
    """Return the states of those events that an answer has a place for."""
    listed = {event["sr_id"] for event in answer["events"]}
    assert listed, "no event is shown"
    return {key: snapshot for key, snapshot in newest.items() if key[0] in listed}
