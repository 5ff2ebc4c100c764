"""The server's side of SportyBet's API, on recordings."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

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
    TournamentEntry,
)
from overround.ports import Recording, SimulatedAnswer

_PATH = re.compile(r"/api/[a-z]{2}/factsCenter/(\w+)")
_INVALID = SimulatedAnswer(status=200, body=b'{"bizCode":19000,"message":"Invalid"}')
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"Not Found"}')
_FORBIDDEN = SimulatedAnswer(status=403, body=b'{"error":"Forbidden"}')
_SUCCESS_MESSAGE = "0#0"

_detail = msgspec.json.Decoder(DetailAnswer)
_queries = msgspec.json.Decoder(tuple[LeagueQuery, ...])


class SportybetReplay:
    """Serves recordings under any country's path."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        self._events = [_detail.decode(recording.body).data for recording in recordings]

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
        body = self._bodies.get(event_id)
        return _INVALID if body is None else SimulatedAnswer(status=200, body=body)

    def _sport_list(self, sport_id: str | None) -> SimulatedAnswer:
        sports = [
            SportEntry(id=sport, name=events[0].sport.name, event_size=len(events), categories=_categories(events))
            for sport, events in _grouped(self._events, lambda event: event.sport.id)
            if sport_id in (None, sport)
        ]
        return _success(SportListAnswer(SUCCESS, _SUCCESS_MESSAGE, SportList(tuple(sports))))

    def _leagues(self, body: bytes) -> SimulatedAnswer:
        try:
            queries = _queries.decode(body)
        except msgspec.DecodeError:
            return _FORBIDDEN  # what the site answers to a body that is no array
        wanted = {league for query in queries for leagues in query.tournament_id for league in leagues}
        leagues = [
            _league(events)
            for league, events in _grouped(self._events, lambda event: event.sport.category.tournament.id)
            if league in wanted
        ]
        return _success(LeaguesAnswer(SUCCESS, _SUCCESS_MESSAGE, tuple(leagues)))


def _success(answer: SportListAnswer | LeaguesAnswer) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(answer))


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
