"""A law of cycles: whatever bookmakers put in some places of their answers, runs end well and sound prices stay."""

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import load_catalogue
from overround.ports import Recording
from overround.records.batch import RunStatus
from overround.records.event import Offer
from overround.records.odds import MarketKey
from overround.records.response import Response
from overround.scraping.event_coordinator import EventCoordinator, ScrapeContext
from overround.scraping.event_scrape import Source
from overround.scraping.runs import RunBook
from overround.storage.write_handler import InlineWriter
from overround.streaming.progress import ProgressHub
from overround.testing import ManualClock, MemoryWriteHandler
from tests.property.test_one_entry import ODD, paths_below, placed
from tests.replayed import ReplayFetcher
from tests.support.desk import OPTIONS
from tests.unit.test_one_entry import (
    BAD_KICKOFFS,
    BODIES,
    BOOKMAKERS,
    KICKOFF_FIELD,
    SLUGS,
    entries_of,
    event_of,
    named,
    normaliser_of,
    raw,
)
from tests.wire_bodies import BEFORE

Json = Any
RESULT = MarketKey("match_result")
EVENTS = (4711, 4712, 4713)
NAMES = {4711: "Harbour United", 4712: "Quarry Rovers", 4713: "Castle Athletic"}
EVENT_AT: Mapping[str, tuple[str, ...]] = {"betpawa": (), "sportybet": ("data",), "bet9ja": ("D",)}
LISTS = ("by-queries", "pcEvents", "V2")


def body_of(slug: str, sr_id: int) -> Json:
    """Return the body of one of the events."""
    body = BODIES[slug]()
    event = named(slug, event_of(slug, body), NAMES[sr_id])
    if slug == "betpawa":
        event["widgets"][1]["id"] = str(sr_id)
    event |= {
        "betpawa": {"id": f"3{sr_id}"},
        "sportybet": {"eventId": f"sr:match:{sr_id}"},
        "bet9ja": {"ID": sr_id, "EXTID": str(sr_id)},
    }[slug]
    return {"betpawa": event, "sportybet": body | {"data": event}, "bet9ja": body | {"D": event}}[slug]


class Faulty:
    """A bookmaker's client on a replay, of which some answers have something else in some place."""

    def __init__(self, slug: str, clock: ManualClock) -> None:
        self.bodies = {sr_id: raw(body_of(slug, sr_id)) for sr_id in EVENTS}
        self.in_bodies: dict[int, bytes] = {}
        self.in_entries: dict[int, Json] = {}
        self._slug = slug
        reader = normaliser_of(slug)
        recordings = [
            Recording(name=str(sr_id), body=body, listing=reader.normalise(body, BEFORE).listing)
            for sr_id, body in self.bodies.items()
        ]
        self._listings = {recording.listing.listing_id: int(recording.name) for recording in recordings}
        self._server = BOOKMAKERS[slug].replay(recordings)
        fetcher = ReplayFetcher(self._server, clock, self._intercept)
        self.client = BOOKMAKERS[slug].client(fetcher, BOOKMAKERS[slug].defaults, clock)

    def _intercept(self, path: str, params: Mapping[str, str], sent: bytes) -> bytes | None:
        if path.endswith(LISTS):
            return self._list(path, params, sent)
        asked = params.get("eventId") or params.get("EVENTID") or path.rpartition("/")[2]
        return self.in_bodies.get(self._listings.get(asked, 0))

    def _list(self, path: str, params: Mapping[str, str], sent: bytes) -> bytes:
        answer = json.loads(self._server.answer("POST" if sent else "GET", path, params, sent).body)
        if answer.get("responses") != [{}]:
            entries = entries_of(self._slug, answer)
            entries[:] = [self.in_entries.get(number, entry) for number, entry in zip(EVENTS, entries, strict=True)]
        return raw(answer)


class Bare:
    """A reader that keeps nothing."""

    def __init__(self, slug: str) -> None:
        self._normaliser = normaliser_of(slug)

    @property
    def covered(self) -> frozenset[str]:
        """Return the markets of the mapping."""
        return self._normaliser.covered

    def read(self, response: Response) -> Offer:
        """Normalise a body."""
        return self._normaliser.normalise(response.body, response.received_at)


class Shop:
    """A coordinator on three faulty bookmakers."""

    def __init__(self) -> None:
        self.clock = ManualClock(BEFORE)
        self.books = {slug: Faulty(slug, self.clock) for slug in SLUGS}
        self.context = ScrapeContext(
            sources={
                slug: Source(slug=slug, client=book.client, reader=Bare(slug)) for slug, book in self.books.items()
            },
            cache=OddsCache(),
            book=EventRegister(),
            runs=RunBook(self.clock),
            catalogue=load_catalogue(),
            clock=self.clock,
            progress=ProgressHub(),
        )
        writer = InlineWriter(MemoryWriteHandler())
        self.coordinator = EventCoordinator(self.context, OPTIONS, batch_writer=writer)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_faults_cost_their_own_places(data: st.DataObject) -> None:
    """No run ends by an exception, and what was served soundly is active as it was served."""
    asyncio.run(play(data))


@pytest.mark.parametrize("in_list", [True, False])
@pytest.mark.parametrize("slug", SLUGS)
async def test_impossible_kickoffs_cost_their_own_places(slug: str, *, in_list: bool) -> None:
    """The faults that random places seldom meet, one after the other, in a list's entry and in a body."""
    shop = Shop()
    await cycle_and_look(shop, set())
    for odd in BAD_KICKOFFS[slug]:
        path = (*(() if in_list else EVENT_AT[slug]), KICKOFF_FIELD[slug])
        put_odd(shop, slug, EVENTS[0], odd, path, in_list=in_list)
        await cycle_and_look(shop, {(slug, EVENTS[0])})
        figures = shop.context.runs.lists(slug)
        assert figures is not None
        assert figures.unreadable == int(in_list)
        # The net under all entries would catch it too, as a fault of ours.
        assert not any(dropped.reason.startswith("internal") for dropped in figures.dropped)


async def play(data: st.DataObject) -> None:
    """Run a sound cycle and two with faults, and look at all prices after each."""
    shop = Shop()
    for faults in (0, 6, 6):
        touched: set[tuple[str, int]] = set()
        for book in shop.books.values():
            book.in_bodies.clear()
            book.in_entries.clear()
        for _ in range(data.draw(st.integers(min(1, faults), faults))):
            touched.add(broken(data, shop))
        await cycle_and_look(shop, touched)


async def cycle_and_look(shop: Shop, touched: Collection[tuple[str, int]]) -> None:
    """Run a cycle, and look at all prices but those of the places that were touched."""
    shop.clock.advance(30)
    run = await shop.coordinator.run_full_cycle()
    assert run.status in {RunStatus.COMPLETED, RunStatus.PARTIAL}
    assert "internal" not in run.errors
    for slug in SLUGS:
        for sr_id in EVENTS:
            if (slug, sr_id) not in touched:
                cached = shop.context.cache.get(sr_id, slug)
                assert cached is not None, (slug, sr_id)
                assert cached.markets[RESULT].prices == (2100, 3300, 4000), (slug, sr_id)


def broken(data: st.DataObject, shop: Shop) -> tuple[str, int]:
    """Put something else in a place of a body or of a list's entry, and return what it is of."""
    slug, sr_id, odd = data.draw(st.sampled_from(SLUGS)), data.draw(st.sampled_from(EVENTS)), data.draw(ODD)
    in_list = data.draw(st.booleans())
    paths = sorted(paths_below(event_of(slug, body_of(slug, sr_id)) if in_list else body_of(slug, sr_id)), key=str)
    path = data.draw(st.sampled_from(paths))
    if data.draw(st.booleans()):  # places drawn at random are seldom dates
        path = (*(() if in_list else EVENT_AT[slug]), KICKOFF_FIELD[slug])
        odd = data.draw(st.sampled_from(BAD_KICKOFFS[slug]))
    put_odd(shop, slug, sr_id, odd, path, in_list=in_list)
    return slug, sr_id


def put_odd(shop: Shop, slug: str, sr_id: int, odd: Json, path: tuple[Any, ...], *, in_list: bool) -> None:
    """Put something odd at a path of an event's body, or of its entry in the list."""
    book, value = shop.books[slug], body_of(slug, sr_id)
    if in_list:
        book.in_entries[sr_id] = placed(event_of(slug, value), path, odd)
    else:
        book.in_bodies[sr_id] = raw(placed(value, path, odd))
