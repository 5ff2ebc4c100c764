"""The server's side of BetPawa's API, on recordings or on the market model."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overround.bookmakers.betpawa.listing_wire import (
    PREFIX,
    SPORT_IDS,
    CategoriesAnswer,
    CompetitionEntry,
    EventCounts,
    EventQuery,
    ListAnswer,
    ListEvent,
    ListResponse,
    Named,
    Participant,
    Queries,
    RegionEntry,
    SportEntry,
    Widget,
)
from overround.bookmakers.betpawa.rendering import BetpawaFormat
from overround.bookmakers.betpawa.wire import SPORTRADAR
from overround.bookmakers.kit.serving import ByLeague, Modelled, Offered, Recorded, encoded_parts
from overround.bookmakers.kit.simulation import SimulatedEvent, World
from overround.ports import Recording, SimulatedAnswer

_VERSIONS = ("v3", "v4")
_MAX_TAKE = 100

_event = msgspec.json.Decoder(ListEvent)
_queries = msgspec.json.Decoder(Queries)
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"NOT_FOUND"}')
_BAD_REQUEST = SimulatedAnswer(status=400, body=b'{"error":"BAD_REQUEST"}')


class BetpawaServer:
    """Serves events under both API versions; lists are in version 4, without markets."""

    def __init__(self, offered: Offered[ListEvent]) -> None:
        self._offered = offered
        self._by_competition = ByLeague(offered, lambda event: event.competition.id)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer `events/{id}`, `categories/list/{sport}` and `events/lists/by-queries`; all else is not found."""
        del body
        version, _, rest = path.removeprefix(PREFIX).partition("/")
        if method != "GET" or not path.startswith(PREFIX) or version not in _VERSIONS:
            return _NOT_FOUND
        if rest == "events/lists/by-queries":
            return self._lists(query.get("q", ""))
        route, _, name = rest.rpartition("/")
        if route == "categories/list":
            return self._categories(name)
        return self._event(name) if route == "events" else _NOT_FOUND

    def _event(self, event_id: str) -> SimulatedAnswer:
        answer = self._offered.body(event_id) or _NOT_FOUND
        return msgspec.structs.replace(answer, subject=f"event {event_id}")

    def _categories(self, sport_id: str) -> SimulatedAnswer:
        by_sport: dict[Named, dict[Named, list[ListEvent]]] = {}
        for event in self._offered.events():
            if event.category.id == sport_id:
                by_sport.setdefault(event.category, {}).setdefault(event.region, []).append(event)
        sports = encoded_parts(
            SportEntry(
                category=category,
                regions=encoded_parts(
                    RegionEntry(region=region, competitions=_competitions(events)) for region, events in regions.items()
                ),
            )
            for category, regions in by_sport.items()
        )
        body = msgspec.json.encode(CategoriesAnswer(with_regions=sports))
        return SimulatedAnswer(status=200, body=body, subject="leagues")

    def _lists(self, text: str) -> SimulatedAnswer:
        try:
            queries = _queries.decode(text)
        except msgspec.DecodeError:
            return _BAD_REQUEST
        answers = []
        for query in queries.queries:
            found = self._found(query.query)
            page = found[query.skip : query.skip + min(query.take, _MAX_TAKE)]
            answers.append(ListResponse(responses=encoded_parts(page) or None))
        leagues = sorted({league for query in queries.queries for league in query.query.zones.competitions})
        body = msgspec.json.encode(ListAnswer(responses=tuple(answers)))
        return SimulatedAnswer(status=200, body=body, subject=f"league {','.join(leagues)}")

    def _found(self, query: EventQuery) -> Sequence[ListEvent]:
        if query.event_type != "UPCOMING":
            return ()
        by_competition = self._by_competition.now()
        zones = query.zones.competitions or tuple(by_competition)
        found = (event for zone in zones for event in by_competition.get(zone, ()))
        return [event for event in found if event.category.id in query.categories]


def replay(recordings: Sequence[Recording]) -> BetpawaServer:
    """Return a server that serves recordings byte for byte."""
    return BetpawaServer(Recorded(recordings, _event.decode))


def modelled(world: World, formats: Mapping[str, BetpawaFormat]) -> BetpawaServer:
    """Return a server that serves the market model."""
    return BetpawaServer(Modelled(world, formats, _list_event))


def _list_event(event: SimulatedEvent) -> ListEvent:
    listing, sr_id = event.listing, event.listed_sr_id
    return ListEvent(
        id=listing.listing_id,
        name=f"{listing.home} - {listing.away}",
        participants=(
            Participant(id=str(event.home_number), name=listing.home, position=1),
            Participant(id=str(event.away_number), name=listing.away, position=2),
        ),
        start_time=listing.kickoff,
        category=Named(id=SPORT_IDS[listing.sport], name=listing.sport.title()),
        region=Named(id=str(event.country_number), name=listing.country),
        competition=Named(id=str(event.league_number), name=listing.tournament),
        widgets=None if sr_id is None else (Widget(id=str(sr_id), type=SPORTRADAR, retention="PREMATCH"),),
    )


def _competitions(events: Iterable[ListEvent]) -> tuple[msgspec.Raw, ...]:
    counts = Counter(event.competition for event in events)
    return encoded_parts(
        CompetitionEntry(competition=competition, event_counts=EventCounts(upcoming=count))
        for competition, count in counts.items()
    )
