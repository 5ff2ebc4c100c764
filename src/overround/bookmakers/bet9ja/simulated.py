"""The server's side of Bet9ja's API, on recordings."""

from collections.abc import Mapping, Sequence

import msgspec

from overround.bookmakers.bet9ja.listing_wire import (
    API,
    SUCCESS,
    CountryEntry,
    DetailAnswer,
    Group,
    GroupAnswer,
    GroupEntry,
    ListEvent,
    SportEntry,
    SportsAnswer,
    SportsTree,
)
from overround.ports import Recording, SimulatedAnswer

_NO_EVENT = SimulatedAnswer(status=200, body=b'{"R":"E"}')
_NO_EVENTS = SimulatedAnswer(status=200, body=b'{"R":"OK","D":{"E":[]}}')
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"Not Found"}')

_detail = msgspec.json.Decoder(DetailAnswer)


class Bet9jaReplay:
    """Serves recordings."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        self._events = [_detail.decode(recording.body).d for recording in recordings]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer `GetEvent`, `GetSports` and `GetEventsInGroupV2`; all else is not found."""
        del body
        match (method, path.removeprefix(API) if path.startswith(API) else ""):
            case ("GET", "GetEvent"):
                return self._event(query.get("EVENTID", ""))
            case ("GET", "GetSports"):
                return self._sports()
            case ("GET", "GetEventsInGroupV2"):
                return self._group(query.get("GROUPID", ""))
            case _:
                return _NOT_FOUND

    def _event(self, event_id: str) -> SimulatedAnswer:
        body = self._bodies.get(event_id)
        return _NO_EVENT if body is None else SimulatedAnswer(status=200, body=body)

    def _sports(self) -> SimulatedAnswer:
        sports = {str(event.sid): event.s for event in self._events}
        tree = SportsTree({sport_id: self._sport(sport_id, name) for sport_id, name in sports.items()})
        return _answer(SportsAnswer(SUCCESS, tree))

    def _sport(self, sport_id: str, name: str) -> SportEntry:
        events = [event for event in self._events if str(event.sid) == sport_id]
        countries = {str(event.sgid): event.sg for event in events}
        return SportEntry(
            s_desc=name,
            num=len(events),
            sg={
                country_id: _country(country, [event for event in events if str(event.sgid) == country_id])
                for country_id, country in countries.items()
            },
        )

    def _group(self, group_id: str) -> SimulatedAnswer:
        events = [event for event in self._events if str(event.gid) == group_id]
        if not events:
            return _NO_EVENTS
        entries = tuple(msgspec.Raw(msgspec.json.encode(event)) for event in events)
        return _answer(GroupAnswer(SUCCESS, Group(gid=events[0].gid, gn=events[0].gn, sg=events[0].sg, e=entries)))


def _country(name: str, events: Sequence[ListEvent]) -> CountryEntry:
    leagues: dict[str, GroupEntry] = {}
    for event in events:
        earlier = leagues.get(str(event.gid))
        leagues[str(event.gid)] = GroupEntry(g_desc=event.gn, num=earlier.num + 1 if earlier else 1)
    return CountryEntry(sg_desc=name, num=len(events), g=leagues)


def _answer(answer: SportsAnswer | GroupAnswer) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(answer))
