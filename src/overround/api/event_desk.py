"""Finds the events that a request asks for, in their order, and keeps what many requests share."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, cast

from starlette.requests import Request

from overround.api.event_filters import EventFilter, EventSort, matching_events
from overround.api.event_query import EventRequest, read_request
from overround.api.fragments import Fragment, Fragments, MarketSet
from overround.api.state import ApiState
from overround.bookmakers.memo import Memo
from overround.event import Event
from overround.ports import Clock

_LISTS_KEPT: Final = 64
_REQUESTS_KEPT: Final = 512
_AT_A_TIME: Final = 20
"""How many events are looked at before others have their turn."""


Figure = Callable[[Event], float | None]


class EventDesk:
    """The running parts as the slice of events sees them.

    `requests` are what query strings ask for. Lists by filter are kept: they hold until an event comes, goes or is
    listed by somebody else.
    """

    def __init__(self, state: ApiState, fragments: Fragments) -> None:
        self.state = state
        self.fragments = fragments
        self.requests: Memo[bytes, EventRequest] = Memo(read_request, _REQUESTS_KEPT)
        self._lists: OrderedDict[EventFilter, tuple[int, Sequence[Event]]] = OrderedDict()

    def fragment(self, event: Event, markets: MarketSet) -> Fragment:
        """Return an event's fragment as it is now."""
        return self.fragments.get(event, self.state.cache.event(event.sr_id), markets)

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


def desk_of(request: Request) -> EventDesk:
    """Return the desk of the application that serves a request."""
    return cast("EventDesk", request.app.state.events)


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
