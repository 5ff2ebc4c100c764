"""A cache that is fed as by scraping, its stream, and clients that read what is sent to them."""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.stream_mirror import Cell, Mirror
from overround.api.events.desk import EventDesk
from overround.api.events.fragments import MAX_BYTES, Fragments
from overround.api.state import ApiState
from overround.caching.cells import cell_of
from overround.caching.change_detection import classify_batch_changes, update_cache
from overround.caching.event_register import EventRegister, KnownListing
from overround.caching.odds_cache import OddsCache
from overround.catalogue import load_catalogue
from overround.records.batch import ListingWriteData, WriteBatch
from overround.records.event import Event
from overround.records.odds import MarketKey, MarketPrices, Snapshot
from overround.streaming.client import AGAIN, Beat, StreamClient, StreamFigures
from overround.streaming.hub import StreamHub
from overround.streaming.market_json import MarketWriter, key_text
from overround.streaming.messages import StreamFilter, StreamWriter
from overround.testing import ManualClock
from tests.support.desk import KICKOFF, START, listing

SLUGS = ("us", "them")
COVERED = frozenset({"match_result", "total_goals"})
GENERATION = uuid.UUID(int=7)

Prices = Mapping[MarketKey, tuple[int, ...]]


class StreamBench:
    """Everything behind the stream's endpoint, without a service; each scrape is a batch of the journal."""

    def __init__(self, max_bytes: int = 10_000_000) -> None:
        self.clock = ManualClock(START)
        self.cache, self.book = OddsCache(), EventRegister()
        self.hub = StreamHub(self.book, self.clock, max_bytes)
        writer = MarketWriter(load_catalogue(), SLUGS, dict.fromkeys(SLUGS, COVERED), "us")
        self.writer = StreamWriter(self.hub, writer)
        self.figures = StreamFigures()
        self.seq = 100
        self.beat = 1
        self.hub.begin(GENERATION)

    def event(
        self, sr_id: int, tournament: str = "First League", kickoff: datetime = KICKOFF, country: str = "Utopia"
    ) -> None:
        """Let both bookmakers list an event."""
        event = Event(
            sr_id=sr_id,
            sport="football",
            home=f"Northern {sr_id}",
            away=f"Southern {sr_id}",
            kickoff=kickoff,
            country=country,
            tournament=tournament,
        )
        self.book.put_event(event)
        listings = [listing(slug, f"{slug}-{sr_id}", sr_id, tournament=tournament, kickoff=kickoff) for slug in SLUGS]
        for one in listings:
            self.book.put_listing(KnownListing(listing=one, league="", first_seen_at=START, seen_at=START))
        data = tuple(ListingWriteData(listing=one, seen_at=START) for one in listings)
        batch = WriteBatch(scrape_run_id=1, batch_index=0, events=(event,), listings=data)
        self.hub.listed(self._place(), batch)

    def scrape(self, *snapshots: tuple[int, str, Prices], complete: bool = True) -> None:
        """Store snapshots of (event, bookmaker, prices) as one batch."""
        self.clock.advance(1)
        found = [self._snapshot(*one, complete=complete) for one in snapshots]
        changes = classify_batch_changes(self.cache, found)
        update_cache(self.cache, changes)
        self.hub.accepted(self._place(), changes)
        for one in changes.changed:
            self.cache.accept(one.snapshot.sr_id, one.snapshot.bookmaker, one.snapshot.snapshot_id)

    def evict(self) -> None:
        """Let the events that have started two hours ago leave."""
        self.cache.evict(
            self.book.drop_started(self.clock.now() - timedelta(hours=2), self.clock.monotonic(), timedelta())
        )
        self.hub.sweep()

    def expected(self) -> Mapping[tuple[int, str], dict[str, Cell]]:
        """Return the cache as a client should know it."""
        write = self.writer._writer.cell
        return {
            (sr_id, slug): {key_text(key): json.loads(write(cell_of(cached, key)) or "") for key in cached.markets}
            for sr_id, slug, cached in self.cache
        }

    def confirmations(self) -> Mapping[tuple[int, str], str]:
        """Return when the cache's states were confirmed, as a client should know it."""
        return {
            (sr_id, slug): cached.confirmed_at.isoformat().replace("+00:00", "Z") for sr_id, slug, cached in self.cache
        }

    def client(
        self, cursor: str = "", wanted: StreamFilter | None = None, mirror: Mirror | None = None
    ) -> "BenchClient":
        """Return a client that connects now."""
        return BenchClient(self, cursor, wanted or StreamFilter(), mirror or Mirror())

    def _place(self) -> tuple[uuid.UUID, int]:
        self.seq += 1
        return GENERATION, self.seq

    def _snapshot(self, sr_id: int, slug: str, prices: Prices, *, complete: bool) -> Snapshot:
        return Snapshot(
            sr_id=sr_id,
            bookmaker=slug,
            received_at=self.clock.now(),
            seen=self.clock.monotonic(),
            markets={key: MarketPrices(one) for key, one in prices.items()},
            complete=complete,
            covered=COVERED,
        )


def api_desk(bench: StreamBench, max_bytes: int = MAX_BYTES) -> EventDesk:
    """Return the API's desk on a bench's cache."""
    catalogue = load_catalogue()
    state = SimpleNamespace(
        clock=bench.clock,
        cache=bench.cache,
        book=bench.book,
        catalogue=catalogue,
        bookmakers={slug: slug for slug in SLUGS},
        covered=dict.fromkeys(SLUGS, COVERED),
        reference="us",
    )
    writer = MarketWriter(catalogue, SLUGS, state.covered, state.reference)
    return EventDesk(cast("ApiState", state), Fragments(writer, max_bytes))


class BenchClient:
    """A connection of a client; `mirror` is what the client knows, and outlives the connection."""

    def __init__(self, bench: StreamBench, cursor: str, wanted: StreamFilter, mirror: Mirror) -> None:
        self.mirror = mirror
        self._bench = bench
        self._following = bench.hub.followed()
        self._following.__enter__()
        self._client = StreamClient(bench.hub, bench.writer, wanted, bench.figures)
        self._first: bytes | None = self._client.start(cursor)

    def sent(self) -> Iterator[bytes]:
        """Yield what is sent until there is nothing for now."""
        while (text := self._next()) is not None:
            if text != AGAIN:
                yield text

    def read(self, most: int | None = None) -> list[str]:
        """Read up to so many sends; return the names of the messages in them."""
        names: list[str] = []
        for count, text in enumerate(self.sent(), 1):
            names += [name for _, name in self.mirror.feed(text)]
            if count == most:
                break
        return names

    def leave(self) -> str:
        """Disconnect; return the cursor to come back with."""
        self._following.__exit__(None, None, None)
        return self.mirror.disconnect()

    def _next(self) -> bytes | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        facts: dict[str, Any] = {slug: self._bench.hub.newest.get(slug) for slug in SLUGS}
        return self._client.next(Beat(number=self._bench.beat, bookmakers=facts))
