"""The server's side of BetPawa's API, on recordings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overround.bookmakers.betpawa.listing_wire import (
    PREFIX,
    CategoriesAnswer,
    CompetitionEntry,
    EventCounts,
    EventQuery,
    ListAnswer,
    ListEvent,
    ListResponse,
    Queries,
    RegionEntry,
    SportEntry,
)
from overround.ports import Recording, SimulatedAnswer

_VERSIONS = ("v3", "v4")
_MAX_TAKE = 100

_event = msgspec.json.Decoder(ListEvent)
_queries = msgspec.json.Decoder(Queries)
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"NOT_FOUND"}')
_BAD_REQUEST = SimulatedAnswer(status=400, body=b'{"error":"BAD_REQUEST"}')


class BetpawaReplay:
    """Serves recordings under both API versions; lists are in version 4, without markets."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        self._events = [_event.decode(recording.body) for recording in recordings]

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
        body = self._bodies.get(event_id)
        return _NOT_FOUND if body is None else SimulatedAnswer(status=200, body=body)

    def _categories(self, sport_id: str) -> SimulatedAnswer:
        events = [event for event in self._events if event.category.id == sport_id]
        regions = tuple(
            RegionEntry(region=region, competitions=_competitions(event for event in events if event.region == region))
            for region in dict.fromkeys(event.region for event in events)
        )
        sports = tuple(
            SportEntry(category=category, regions=regions)
            for category in dict.fromkeys(event.category for event in events)
        )
        return SimulatedAnswer(status=200, body=msgspec.json.encode(CategoriesAnswer(with_regions=sports)))

    def _lists(self, text: str) -> SimulatedAnswer:
        try:
            queries = _queries.decode(text)
        except msgspec.DecodeError:
            return _BAD_REQUEST
        answers = []
        for query in queries.queries:
            found = [event for event in self._events if _matches(event, query.query)]
            page = found[query.skip : query.skip + min(query.take, _MAX_TAKE)]
            answers.append(
                ListResponse(responses=tuple(msgspec.Raw(msgspec.json.encode(event)) for event in page) or None)
            )
        return SimulatedAnswer(status=200, body=msgspec.json.encode(ListAnswer(responses=tuple(answers))))


def _competitions(events: Iterable[ListEvent]) -> tuple[CompetitionEntry, ...]:
    counts = Counter(event.competition for event in events)
    return tuple(
        CompetitionEntry(competition=competition, event_counts=EventCounts(upcoming=count))
        for competition, count in counts.items()
    )


def _matches(event: ListEvent, query: EventQuery) -> bool:
    if query.event_type != "UPCOMING" or event.category.id not in query.categories:
        return False
    return not query.zones.competitions or event.competition.id in query.zones.competitions
