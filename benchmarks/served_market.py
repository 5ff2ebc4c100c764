"""The serving process of `benchmark_api`: a simulated market in a cache, and a load like a cycle's beside the API."""

import asyncio
import gc
import itertools
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import cast

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from benchmarks.pipeline import bare_route
from overround import runtime as process
from overround.access.keyring import KeyRing
from overround.api.events import routes as events_slice
from overround.api.events.desk import EventDesk
from overround.api.events.fragments import Fragments
from overround.api.events.routes import Page, page_answer
from overround.api.framework.middleware import Admission, RequestContext
from overround.api.framework.problems import install_problem_handlers
from overround.api.framework.request_meter import MeterMiddleware, RequestMeter
from overround.api.framework.security import Guard
from overround.api.state import ApiState
from overround.bookmakers.registry import load_bookmakers
from overround.caching.change_detection import classify_batch_changes, update_cache
from overround.caching.event_register import EventRegister, KnownListing
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue, load_catalogue
from overround.clock import OffsetClock, SystemClock
from overround.errors import GoneError
from overround.ports import BookmakerClient, Clock, Normaliser, Refusal, SimulatedBookmaker
from overround.records.event import Event, Listing
from overround.records.odds import Snapshot
from overround.records.response import Response as Fetched
from overround.records.stored import ApiKey
from overround.settings import SecuritySettings
from overround.simulator.model.market import Model
from overround.simulator.model.parameters import Parameters
from overround.simulator.server.faults import decompressed
from overround.simulator.server.oracle import Oracle, simulations_of
from overround.simulator.server.worlds import ModelWorld, Present
from overround.streaming.market_json import MarketWriter

BATCH = 50
LOADED_EVENTS = 200
TICKS = (0, 12)  # an hour apart: the load goes to and fro between them
REFERENCE = "betpawa"


class Body(msgspec.Struct, frozen=True):
    """One bookmaker's single-event body of a tick."""

    slug: str
    sr_id: int
    content: bytes


class Market(msgspec.Struct, frozen=True):
    """A filled cache and book, what is needed to fill them again, and the bodies of the load by tick."""

    catalogue: Catalogue
    cache: OddsCache
    book: EventRegister
    clock: OffsetClock
    normalisers: Mapping[str, Normaliser]
    bodies: Sequence[Sequence[Body]]


class DirectFetcher:
    """Asks the server's side of a simulated bookmaker without a socket."""

    def __init__(self, server: SimulatedBookmaker, clock: OffsetClock) -> None:
        self._server = server
        self._clock = clock

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Fetched:
        """Ask the server."""
        del subject, refusal
        return self._asked("GET", path, params or {}, b"")

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Fetched:
        """Send the server a body."""
        del subject, refusal
        return self._asked("POST", path, params or {}, msgspec.json.encode(json))

    def _asked(self, method: str, path: str, params: Mapping[str, str], body: bytes) -> Fetched:
        answer = self._server.answer(method, path, params, body)
        return Fetched(body=decompressed(answer), received_at=self._clock.now(), duration_ms=1)


async def build_market(events: int) -> Market:
    """Fill a cache with a simulated market."""
    catalogue, bookmakers = load_catalogue(), load_bookmakers()
    simulations = simulations_of(bookmakers, catalogue)
    model = Model(Parameters(events=events), catalogue, simulations)
    clock = OffsetClock(model.instant(TICKS[0]))
    present, book, cache = Present(), EventRegister(), OddsCache()
    listed: dict[str, list[Listing]] = {}
    for slug in simulations:
        for state in Oracle(model).states(slug, TICKS[0]):
            _enter(
                book,
                cache,
                slug,
                state.listing,
                Snapshot(
                    sr_id=state.listing.sr_id or 0,
                    bookmaker=slug,
                    received_at=clock.now(),
                    markets=dict(state.markets),
                    complete=True,
                ),
            )
            listed.setdefault(slug, []).append(state.listing)
    clients = {
        slug: bookmakers[slug].client(
            DirectFetcher(simulation.server(ModelWorld(model, slug, present)), clock), bookmakers[slug].defaults, clock
        )
        for slug, simulation in simulations.items()
    }
    normalisers = {slug: bookmakers[slug].normaliser(catalogue) for slug in simulations}
    chosen = _spread(book, LOADED_EVENTS)
    bodies: list[list[Body]] = []
    for present.tick in TICKS:
        rendered = [body async for body in _bodies(clients, listed, chosen)]
        bodies.append([body for body in rendered if _readable(normalisers[body.slug], body, clock.now())])
    return Market(catalogue, cache, book, clock, normalisers, bodies)


def _enter(book: EventRegister, cache: OddsCache, slug: str, listing: Listing, snapshot: Snapshot) -> None:
    if listing.sr_id is None:
        return
    facts = {name: getattr(listing, name) for name in ("sport", "home", "away", "kickoff", "country", "tournament")}
    if book.event(listing.sr_id) is None:
        book.put_event(Event(sr_id=listing.sr_id, **facts))
    at = snapshot.received_at
    book.put_listing(KnownListing(listing=listing, league="", first_seen_at=at, seen_at=at))
    update_cache(cache, classify_batch_changes(cache, [snapshot]))
    cache.accept(listing.sr_id, slug, snapshot.snapshot_id)


def _spread(book: EventRegister, count: int) -> frozenset[int]:
    """Return events evenly over all kick-offs, so that any page has its share of changes."""
    ordered = sorted(book.events(), key=lambda event: (event.kickoff, event.sr_id))
    step = max(1, len(ordered) // count)
    return frozenset(event.sr_id for event in ordered[::step])


async def _bodies(
    clients: Mapping[str, BookmakerClient], listed: Mapping[str, Sequence[Listing]], chosen: frozenset[int]
) -> AsyncIterator[Body]:
    for slug, listings in listed.items():
        for listing in listings:
            if listing.sr_id in chosen:
                yield Body(slug, listing.sr_id, (await clients[slug].fetch_event(listing)).body)


def _readable(normaliser: Normaliser, body: Body, at: datetime) -> bool:
    """Tell whether a body is that of an event: some have left the lists by the later tick."""
    try:
        normaliser.normalise(body.content, at)
    except GoneError:
        return False
    return True


async def run_load(market: Market, events_a_second: float) -> None:
    """Normalise, compare and store bodies in batches, for ever, as a cycle does."""
    clock, cache = market.clock, market.cache
    began, done = time.perf_counter(), 0
    for bodies in itertools.cycle(market.bodies):
        by_event: dict[int, list[Body]] = {}
        for body in bodies:
            by_event.setdefault(body.sr_id, []).append(body)
        for group in _batches(list(by_event.values())):
            for body in itertools.chain.from_iterable(group):
                # Compared as they arrive, as the service does: a batch's store then costs next to nothing.
                changes = classify_batch_changes(cache, [_snapshot(market, body)])
                update_cache(cache, changes)
                for changed in changes.changed:
                    cache.accept(body.sr_id, body.slug, changed.snapshot.snapshot_id)
                await asyncio.sleep(0)
            done += len(group)
            await clock.sleep(max(0.0, began + done / events_a_second - time.perf_counter()))


def _batches(groups: Sequence[Sequence[Body]]) -> Iterator[Sequence[Sequence[Body]]]:
    for start in range(0, len(groups), BATCH):
        yield groups[start : start + BATCH]


def _snapshot(market: Market, body: Body) -> Snapshot:
    at = market.clock.now()
    normaliser = market.normalisers[body.slug]
    offer = normaliser.normalise(body.content, at)
    return Snapshot(
        sr_id=body.sr_id,
        bookmaker=body.slug,
        received_at=at,
        markets=offer.markets,
        complete=offer.complete,
        covered=normaliser.covered,
    )


def application(market: Market, events_a_second: float) -> ASGIApp:
    """Return the slice of events with all that the service puts around it, the bare route, and the load."""
    covered = {slug: one.covered for slug, one in market.normalisers.items()}
    slugs = sorted(covered, key=lambda slug: slug != REFERENCE)
    state = cast(
        "ApiState",
        SimpleNamespace(
            clock=market.clock,
            cache=market.cache,
            book=market.book,
            catalogue=market.catalogue,
            bookmakers={slug: slug for slug in slugs},
            covered=covered,
            reference=REFERENCE,
        ),
    )
    desk = EventDesk(state, Fragments(MarketWriter(market.catalogue, slugs, covered, REFERENCE)))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        load = asyncio.create_task(run_load(market, events_a_second))
        load.add_done_callback(_end_with_the_load)
        yield
        load.remove_done_callback(_end_with_the_load)
        load.cancel()

    app = FastAPI(lifespan=lifespan)
    app.state.events = desk
    app.state.guard = _guard(market.clock)
    install_problem_handlers(app)
    app.add_middleware(Admission)
    app.add_middleware(MeterMiddleware, meter=RequestMeter(SystemClock()))
    app.add_middleware(RequestContext)
    app.router.routes.extend(events_slice.router.routes)
    return bare_route.beside(app, len(_first_page(desk)))


def _guard(clock: Clock) -> Guard:
    """Return what admits requests to a service on loopback, without an end to how many there may be."""
    unlimited = SecuritySettings(requests_per_minute=10**9)
    keys = KeyRing(_NoKeys(), asyncio.Event(), clock)
    return Guard(keys, clock, unlimited, key_required=False)


class _NoKeys:
    async def keys(self) -> Sequence[ApiKey]:
        return ()


def _end_with_the_load(load: asyncio.Task[None]) -> None:
    """End the process where the load fails: without it nothing would be measured."""
    load.print_stack()
    os._exit(1)


def _first_page(desk: EventDesk) -> bytes:
    asked = desk.requests[b""]
    found = desk.find(asked.wanted)
    return page_answer(desk, Page(total=len(found), limit=50, offset=0), found[:50], asked.markets).body


def serve(listener: socket.socket, events: int, events_a_second: float) -> None:
    """Serve until the process is ended."""
    market = asyncio.run(build_market(events))
    gc.collect()
    gc.freeze()  # the simulated market, its model and its bodies are no part of what is measured
    config = uvicorn.Config(
        application(market, events_a_second), access_log=False, log_config=None, lifespan="on", timeout_keep_alive=600
    )
    process.run(uvicorn.Server(config).serve([listener]))
