"""The server's side of SportyBet's API, on recordings or on the market model."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Protocol

import msgspec

from overround.bookmakers.rendering import Bodies
from overround.bookmakers.simulation import SimulatedEvent, World
from overround.bookmakers.sportybet.listing_wire import (
    SUCCESS,
    CategoryEntry,
    CategoryName,
    DetailAnswer,
    LeagueEvents,
    LeagueQuery,
    LeaguesAnswer,
    ListEvent,
    SportEntry,
    SportList,
    SportListAnswer,
    SportName,
    TournamentEntry,
    TournamentName,
)
from overround.bookmakers.sportybet.rendering import SportybetFormat
from overround.ports import Recording, SimulatedAnswer

_PATH = re.compile(r"/api/[a-z]{2}/factsCenter/(\w+)")
_INVALID = SimulatedAnswer(status=200, body=b'{"bizCode":19000,"message":"Invalid"}')
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"Not Found"}')
_FORBIDDEN = SimulatedAnswer(status=403, body=b'{"error":"Forbidden"}')
_SUCCESS_MESSAGE = "0#0"

_detail = msgspec.json.Decoder(DetailAnswer)
_queries = msgspec.json.Decoder(tuple[LeagueQuery, ...])


class Offered(Protocol):
    """Where the server has its events from."""

    def events(self) -> Sequence[ListEvent]:
        """Return all events; the same object until something changes."""

    def body(self, event_id: str) -> SimulatedAnswer | None:
        """Return an event's own body, if there is one."""


class _Recorded:
    """Events of recordings."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        self._events = tuple(_detail.decode(recording.body).data for recording in recordings)

    def events(self) -> Sequence[ListEvent]:
        return self._events

    def body(self, event_id: str) -> SimulatedAnswer | None:
        body = self._bodies.get(event_id)
        return None if body is None else SimulatedAnswer(status=200, body=body)


class _Modelled:
    """Events of the market model."""

    def __init__(self, world: World, body_format: SportybetFormat) -> None:
        self._world = world
        self._format = body_format
        self._bodies = Bodies(world, body_format)
        self._seen: Sequence[SimulatedEvent] | None = None
        self._events: Sequence[ListEvent] = ()

    def events(self) -> Sequence[ListEvent]:
        now = self._world.events()
        if now is not self._seen:
            self._seen, self._events = now, tuple(_list_event(event) for event in now)
        return self._events

    def body(self, event_id: str) -> SimulatedAnswer | None:
        event = self._world.find(event_id)
        if event is None:
            return None
        if event.started:
            return SimulatedAnswer(status=200, body=self._format.started(event))
        return SimulatedAnswer(status=200, body=self._bodies.body(event), encoding="gzip")


class SportybetServer:
    """Serves events under any country's path."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._events: Sequence[ListEvent] = ()
        self._by_league: Mapping[str, Sequence[ListEvent]] = {}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer `event`, `popularAndSportList` and `pcEvents`; all else is not found."""
        found = _PATH.fullmatch(path)
        match (method, found[1] if found else ""):
            case ("GET", "event"):
                return self._event(query.get("eventId", ""))
            case ("GET", "popularAndSportList"):
                return self._sport_list(query.get("sportId"))
            case ("POST", "pcEvents"):
                return self._leagues(body)
            case _:
                return _NOT_FOUND

    def _event(self, event_id: str) -> SimulatedAnswer:
        answer = self._offered.body(event_id) or _INVALID
        return msgspec.structs.replace(answer, subject=f"event {event_id}")

    def _sport_list(self, sport_id: str | None) -> SimulatedAnswer:
        sports = [
            SportEntry(id=sport, name=events[0].sport.name, event_size=len(events), categories=_categories(events))
            for sport, events in _grouped(self._offered.events(), lambda event: event.sport.id)
            if sport_id in (None, sport)
        ]
        return _success(SportListAnswer(SUCCESS, _SUCCESS_MESSAGE, SportList(tuple(sports))), "leagues")

    def _leagues(self, body: bytes) -> SimulatedAnswer:
        try:
            queries = _queries.decode(body)
        except msgspec.DecodeError:
            return _FORBIDDEN  # what the site answers to a body that is no array
        wanted = sorted({league for query in queries for leagues in query.tournament_id for league in leagues})
        by_league = self._index()
        leagues = [_league(by_league[league]) for league in wanted if league in by_league]
        return _success(LeaguesAnswer(SUCCESS, _SUCCESS_MESSAGE, tuple(leagues)), f"league {','.join(wanted)}")

    def _index(self) -> Mapping[str, Sequence[ListEvent]]:
        events = self._offered.events()
        if events is not self._events:
            self._by_league = dict(_grouped(events, lambda event: event.sport.category.tournament.id))
            self._events = events
        return self._by_league


def replay(recordings: Sequence[Recording]) -> SportybetServer:
    """Return a server that serves recordings byte for byte."""
    return SportybetServer(_Recorded(recordings))


def modelled(world: World, body_format: SportybetFormat) -> SportybetServer:
    """Return a server that serves the market model."""
    return SportybetServer(_Modelled(world, body_format))


def _list_event(event: SimulatedEvent) -> ListEvent:
    listing = event.listing
    tournament = TournamentName(id=f"sr:tournament:{event.league_number}", name=listing.tournament)
    category = CategoryName(id=f"sr:category:{event.country_number}", name=listing.country, tournament=tournament)
    return ListEvent(
        event_id=listing.listing_id,
        estimate_start_time=round(listing.kickoff.timestamp() * 1000),
        home_team_name=listing.home,
        away_team_name=listing.away,
        sport=SportName(id="sr:sport:1", name="Football", category=category),
    )


def _success(answer: SportListAnswer | LeaguesAnswer, subject: str) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(answer), subject=subject)


def _grouped(events: Iterable[ListEvent], key: Callable[[ListEvent], str]) -> list[tuple[str, list[ListEvent]]]:
    return [(value, list(group)) for value, group in groupby(sorted(events, key=key), key)]


def _categories(events: Iterable[ListEvent]) -> tuple[CategoryEntry, ...]:
    return tuple(
        CategoryEntry(
            id=category,
            name=members[0].sport.category.name,
            event_size=len(members),
            tournaments=_tournaments(members),
        )
        for category, members in _grouped(events, lambda event: event.sport.category.id)
    )


def _tournaments(events: Iterable[ListEvent]) -> tuple[TournamentEntry, ...]:
    return tuple(
        TournamentEntry(id=league, name=members[0].sport.category.tournament.name, event_size=len(members))
        for league, members in _grouped(events, lambda event: event.sport.category.tournament.id)
    )


def _league(events: Sequence[ListEvent]) -> LeagueEvents:
    category: CategoryName = events[0].sport.category
    return LeagueEvents(
        id=category.tournament.id,
        name=category.tournament.name,
        events=tuple(msgspec.Raw(msgspec.json.encode(event)) for event in events),
        category_name=category.name,
        category_id=category.id,
    )
