"""The server's side of Bet9ja's API, on recordings or on the market model."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from overround.bookmakers.bet9ja.listing_wire import (
    API,
    SPORT_IDS,
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
from overround.bookmakers.bet9ja.rendering import Bet9jaFormat, sport_name
from overround.bookmakers.kit.serving import ByLeague, Modelled, Offered, Recorded, encoded_by_id, encoded_parts
from overround.bookmakers.kit.simulation import SimulatedEvent, World
from overround.ports import Recording, SimulatedAnswer

_NO_EVENT = SimulatedAnswer(status=200, body=b'{"R":"E"}')
_NO_EVENTS = SimulatedAnswer(status=200, body=b'{"R":"OK","D":{"E":[]}}')
_NOT_FOUND = SimulatedAnswer(status=404, body=b'{"error":"Not Found"}')

_detail = msgspec.json.Decoder(DetailAnswer)


class Bet9jaServer:
    """Serves events."""

    def __init__(self, offered: Offered[ListEvent]) -> None:
        self._offered = offered
        self._by_group = ByLeague(offered, lambda event: str(event.gid))

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
        answer = self._offered.body(event_id) or _NO_EVENT
        return msgspec.structs.replace(answer, subject=f"event {event_id}")

    def _sports(self) -> SimulatedAnswer:
        by_sport: dict[tuple[int, str], list[ListEvent]] = {}
        for event in self._offered.events():
            by_sport.setdefault((event.sid, event.s or ""), []).append(event)
        sports = {sport_id: _sport(name, events) for (sport_id, name), events in by_sport.items()}
        tree = SportsTree(encoded_by_id(sports))
        return _answer(SportsAnswer(SUCCESS, tree), "leagues")

    def _group(self, group_id: str) -> SimulatedAnswer:
        events = self._by_group.now().get(group_id, ())
        subject = f"league {group_id}"
        if not events:
            return msgspec.structs.replace(_NO_EVENTS, subject=subject)
        first = events[0]
        group = Group(gid=first.gid, gn=first.gn, sg=first.sg, e=encoded_parts(events))
        return _answer(GroupAnswer(SUCCESS, group), subject)


def replay(recordings: Sequence[Recording]) -> Bet9jaServer:
    """Return a server that serves recordings byte for byte."""
    return Bet9jaServer(Recorded(recordings, lambda body: _detail.decode(body).d))


def modelled(world: World, formats: Mapping[str, Bet9jaFormat]) -> Bet9jaServer:
    """Return a server that serves the market model."""
    return Bet9jaServer(Modelled(world, formats, _list_event))


def _list_event(event: SimulatedEvent) -> ListEvent:
    listing, sr_id = event.listing, event.listed_sr_id
    return ListEvent(
        id=int(listing.listing_id),
        ds=f"{listing.home} - {listing.away}",
        startdate=f"{listing.kickoff:%Y-%m-%d %H:%M:%S}",
        sid=int(SPORT_IDS[listing.sport]),
        s=sport_name(listing.sport),
        sgid=event.country_number,
        sg=listing.country,
        gid=event.league_number,
        gn=listing.tournament,
        extid=None if sr_id is None else str(sr_id),
    )


def _sport(name: str, events: Sequence[ListEvent]) -> SportEntry:
    countries: dict[tuple[int, str], list[ListEvent]] = {}
    for event in events:
        countries.setdefault((event.sgid, event.sg or ""), []).append(event)
    entries = encoded_by_id(
        {country_id: _country(country, found) for (country_id, country), found in countries.items()}
    )
    return SportEntry(s_desc=name, num=len(events), sg=entries)


def _country(name: str, events: Sequence[ListEvent]) -> CountryEntry:
    counts = Counter((event.gid, event.gn) for event in events)
    leagues = {gid: GroupEntry(g_desc=group, num=count) for (gid, group), count in counts.items()}
    return CountryEntry(sg_desc=name, num=len(events), g=encoded_by_id(leagues))


def _answer(answer: SportsAnswer | GroupAnswer, subject: str) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(answer), subject=subject)
