"""Finds the events that a request asks for, in their order, and keeps what many requests share."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec
from fastapi import FastAPI, Request

from overround.api.events.answers import Answers, BodyPiece, Moment
from overround.api.events.filters import EventFilter, EventSort, matching_events
from overround.api.events.fragments import Fragment, Fragments, MarketSet, Pause
from overround.api.events.query import EventRequest, read_markets, read_request
from overround.api.state import ApiState
from overround.caching.odds_cache import CachedSnapshot
from overround.memo import Memo
from overround.ports import Clock
from overround.records.event import Event, Listing
from overround.streaming.market_json import MarketWriter

_LISTS_KEPT: Final = 64
_REQUESTS_KEPT: Final = 512
_MOMENTS: Final = 2  # a second: ages are shown to the second, and telling them anew takes most of a list's time
_AT_A_TIME: Final = 20
"""How many events are looked at before others have their turn."""

Figure = Callable[[Event], float | None]


class Freshness(msgspec.Struct, frozen=True, gc=False):
    """How old one bookmaker's word on an event is."""

    listing_id: str | None
    received_at: datetime | None
    confirmed_at: datetime | None
    age_seconds: float | None
    markets: int


class Shown(msgspec.Struct, frozen=True):
    """An event within a moment: the snapshots it is made of, its fragment, and the bookmakers' freshness.

    `pieces` are these two as they stand in a list, a comma behind them.
    """

    snapshots: Mapping[str, CachedSnapshot]
    fragment: Fragment
    freshness: bytes
    pieces: tuple[BodyPiece, BodyPiece]


class EventDesk:
    """The running parts as the slice of events sees them.

    What lists have shown is kept for the rest of half a second, and whole lists for as long as nothing changes within
    that. Lists by filter are kept until an event comes, goes or is listed by somebody else. `requests` are what query
    strings ask of lists, `markets` what they ask of a single event.
    """

    def __init__(self, state: ApiState, fragments: Fragments) -> None:
        self.state = state
        self.fragments = fragments
        self.requests: Memo[bytes, EventRequest] = Memo(read_request, _REQUESTS_KEPT)
        self.markets: Memo[bytes, MarketSet] = Memo(read_markets, _REQUESTS_KEPT)
        self.answers = Answers()
        self._moment = (0, 0)
        self._shown: dict[str, dict[int, Shown]] = {}
        self._lists: OrderedDict[EventFilter, tuple[int, Sequence[Event]]] = OrderedDict()

    def fragment(self, event: Event, markets: MarketSet) -> Fragment:
        """Return an event's fragment as it is now."""
        return self.fragments.get(event, self.state.cache.event(event.sr_id), markets)

    async def prepare(self, event: Event, markets: MarketSet, pause: Pause) -> None:
        """Encode an event, with pauses where that takes long, so that asking for its fragment takes little."""
        await self.fragments.prepare(event, self.state.cache.event(event.sr_id), markets, pause)

    def behind(self, event: Event, markets: MarketSet) -> bool:
        """Tell whether an event that has prices is not encoded as it is now, and there is room for it."""
        snapshots = self.state.cache.event(event.sr_id)
        return bool(snapshots) and self.fragments.behind(event, snapshots, markets)

    def forget_gone(self) -> None:
        """Drop what is kept of events that are over."""
        self.fragments.forget(lambda sr_id: self.state.book.event(sr_id) is None)

    def moment(self) -> Moment:
        """Return what lists depend on beside what they are asked for: the half second, the book, the cache."""
        return (_moment(self.state.clock.now()), self.state.book.revision, self.state.cache.revision)

    def shown(self, events: Iterable[Event], markets: MarketSet, now: datetime) -> list[Shown]:
        """Return events as they are now, with ages as of some time within the half second."""
        moment = (_moment(now), self.state.book.revision)
        if moment != self._moment:
            self._moment = moment
            self._shown.clear()
        known, snapshots_of = self._shown.setdefault(markets.name, {}), self.state.cache.event
        found: list[Shown] = []
        for event in events:
            sr_id = event.sr_id
            snapshots = snapshots_of(sr_id)
            before = known.get(sr_id)
            if before is None or before.snapshots is not snapshots:
                before = known[sr_id] = self.show(event, snapshots, markets)
            found.append(before)
        return found

    def show(self, event: Event, snapshots: Mapping[str, CachedSnapshot], markets: MarketSet) -> Shown:
        """Return one event as it is now."""
        seconds = self.state.clock.monotonic()
        fragment = self.fragments.get(event, snapshots, markets)
        listings = self.state.book.listings_of(event.sr_id)
        fresh = {
            slug: _freshness(listings.get(slug), snapshots.get(slug), fragment.offered.get(slug, 0), seconds)
            for slug in self.state.bookmakers
        }
        freshness = b',"bookmakers":' + msgspec.json.encode(fresh)
        return Shown(snapshots, fragment, freshness, (BodyPiece(fragment), BodyPiece(freshness + b"},")))

    def find(self, wanted: EventFilter) -> Sequence[Event]:
        """Return the events that a filter lets through, by kick-off."""
        if wanted.in_play is not None:  # depends on the time too
            return matching_events(self.state, wanted)
        now = self.state.book.revision
        revision, known = self._lists.get(wanted, (None, ()))
        if revision == now:
            return known
        found = matching_events(self.state, wanted)
        self._lists[wanted] = (now, found)
        if len(self._lists) > _LISTS_KEPT:
            self._lists.popitem(last=False)
        return found

    async def selected(self, asked: EventRequest) -> Sequence[Event]:
        """Return all events that a request asks for in its order; events alike in that stand by kick-off."""
        found = self.find(asked.wanted)
        sort = asked.sort
        if sort is EventSort.KICKOFF:
            return found
        if sort is EventSort.KICKOFF_LAST:
            return found[::-1]
        falling = sort in (EventSort.MOVED, EventSort.MARGIN_LAST, EventSort.GAP_LAST)
        return await _ordered(self.state.clock, found, _figure(self, asked), falling=falling)


def _moment(at: datetime) -> int:
    return int(at.timestamp() * _MOMENTS)


def _freshness(listing: Listing | None, cached: CachedSnapshot | None, offered: int, seconds: float) -> Freshness:
    listing_id = None if listing is None else listing.listing_id
    if cached is None:
        return Freshness(listing_id, None, None, None, 0)
    age = round(max(0.0, seconds - cached.seen), 1)
    return Freshness(listing_id, cached.received_at, cached.confirmed_at, age, offered)


def new_desk(state: ApiState) -> EventDesk:
    """Return a desk that has written nothing yet."""
    return EventDesk(state, Fragments(MarketWriter(state.catalogue, state.bookmakers, state.covered, state.reference)))


def desk_of(request: Request) -> EventDesk:
    """Return the desk of the application that serves a request; a new one where a bookmaker has joined."""
    return current_desk(request.app)


def current_desk(app: FastAPI) -> EventDesk:
    """Return an application's desk; a new one where a bookmaker has joined."""
    desk = cast("EventDesk", app.state.events)
    if len(desk.fragments.slugs) != len(desk.state.bookmakers):
        desk = app.state.events = new_desk(desk.state)
    return desk


async def _ordered(clock: Clock, events: Sequence[Event], figure: Figure, *, falling: bool) -> Sequence[Event]:
    known: list[tuple[float, Event]] = []
    unknown: list[Event] = []
    for start in range(0, len(events), _AT_A_TIME):
        for event in events[start : start + _AT_A_TIME]:
            value = figure(event)
            if value is None:
                unknown.append(event)
            else:
                known.append((value, event))
        await clock.sleep(0)
    known.sort(key=lambda pair: pair[0], reverse=falling)
    return [*(event for _, event in known), *unknown]


def _figure(desk: EventDesk, asked: EventRequest) -> Figure:
    if asked.sort in (EventSort.MOVED, EventSort.MOVED_LAST):
        return lambda event: _moved(desk.state, event)
    if asked.sort in (EventSort.MARGIN, EventSort.MARGIN_LAST):
        return lambda event: desk.fragment(event, asked.markets).margin
    return lambda event: desk.fragment(event, asked.markets).gap


def _moved(state: ApiState, event: Event) -> float | None:
    moves = (cached.moved_at for cached in state.cache.event(event.sr_id).values())
    return max((at.timestamp() for at in moves if at is not None), default=None)
