"""The server's side of SportyBet's API, on recordings or on the market model."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from overround.bookmakers.kit.serving import ByLeague, Modelled, Offered, Recorded, encoded_parts
from overround.bookmakers.kit.simulation import SimulatedEvent, World
from overround.bookmakers.sportybet.listing_wire import (
    SPORT_IDS,
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
from overround.bookmakers.sportybet.rendering import SportybetFormat, started
from overround.ports import Recording, SimulatedAnswer

_PATH = re.compile(r"/api/[a-z]{2}/factsCenter/(\w+)")
_INVALID = SimulatedAnswer(status=200, body=b'{"bizCode":19000,"message":"Invalid"}')
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"Not Found"}')
_FORBIDDEN = SimulatedAnswer(status=403, body=b'{"error":"Forbidden"}')
_SUCCESS_MESSAGE = "0#0"

_detail = msgspec.json.Decoder(DetailAnswer)
_queries = msgspec.json.Decoder(tuple[LeagueQuery, ...])


class SportybetServer:
    """Serves events under any country's path."""

    def __init__(self, offered: Offered[ListEvent]) -> None:
        self._offered = offered
        self._by_league = ByLeague(offered, lambda event: event.sport.category.tournament.id)

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
        return _success(SportListAnswer(SUCCESS, _SUCCESS_MESSAGE, SportList(encoded_parts(sports))), "leagues")

    def _leagues(self, body: bytes) -> SimulatedAnswer:
        try:
            queries = _queries.decode(body)
        except msgspec.DecodeError:
            return _FORBIDDEN  # what the site answers to a body that is no array
        wanted = sorted({league for query in queries for leagues in query.tournament_id for league in leagues})
        by_league = self._by_league.now()
        leagues = [_league(by_league[league]) for league in wanted if league in by_league]
        return _success(LeaguesAnswer(SUCCESS, _SUCCESS_MESSAGE, tuple(leagues)), f"league {','.join(wanted)}")


def replay(recordings: Sequence[Recording]) -> SportybetServer:
    """Return a server that serves recordings byte for byte."""
    return SportybetServer(Recorded(recordings, lambda body: _detail.decode(body).data))


def modelled(world: World, formats: Mapping[str, SportybetFormat]) -> SportybetServer:
    """Return a server that serves the market model."""
    return SportybetServer(Modelled(world, formats, _list_event, started))


def _list_event(event: SimulatedEvent) -> ListEvent:
    listing = event.listing
    tournament = TournamentName(id=f"sr:tournament:{event.league_number}", name=listing.tournament)
    category = CategoryName(id=f"sr:category:{event.country_number}", name=listing.country, tournament=tournament)
    return ListEvent(
        event_id=listing.listing_id,
        estimate_start_time=round(listing.kickoff.timestamp() * 1000),
        home_team_name=listing.home,
        away_team_name=listing.away,
        sport=SportName(id=SPORT_IDS[listing.sport], name=listing.sport.title(), category=category),
    )


def _success(answer: SportListAnswer | LeaguesAnswer, subject: str) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(answer), subject=subject)


def _grouped(events: Iterable[ListEvent], key: Callable[[ListEvent], str]) -> list[tuple[str, list[ListEvent]]]:
    return [(value, list(group)) for value, group in groupby(sorted(events, key=key), key)]


def _categories(events: Iterable[ListEvent]) -> tuple[msgspec.Raw, ...]:
    return encoded_parts(
        CategoryEntry(
            id=category,
            name=members[0].sport.category.name,
            event_size=len(members),
            tournaments=_tournaments(members),
        )
        for category, members in _grouped(events, lambda event: event.sport.category.id)
    )


def _tournaments(events: Iterable[ListEvent]) -> tuple[msgspec.Raw, ...]:
    return encoded_parts(
        TournamentEntry(id=league, name=members[0].sport.category.tournament.name, event_size=len(members))
        for league, members in _grouped(events, lambda event: event.sport.category.tournament.id)
    )


def _league(events: Sequence[ListEvent]) -> LeagueEvents:
    category: CategoryName = events[0].sport.category
    return LeagueEvents(
        id=category.tournament.id,
        name=category.tournament.name,
        events=encoded_parts(events),
        category_name=category.name,
        category_id=category.id,
    )
