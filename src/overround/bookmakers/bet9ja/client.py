"""Bet9ja's API."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

import msgspec

from overround.bookmakers.bet9ja.listing_wire import (
    API,
    OPEN,
    SPORT_IDS,
    SUCCESS,
    CountryEntry,
    Group,
    GroupAnswer,
    GroupEntry,
    ListEvent,
    SportEntry,
    SportsAnswer,
    SportsTree,
)
from overround.bookmakers.bet9ja.wire import SLUG, refusal_of
from overround.bookmakers.kit.dates import from_text
from overround.bookmakers.kit.decoding import decode_json, sr_number
from overround.bookmakers.kit.league_discovery import (
    UnreadableEntryError,
    failure,
    league_label,
    read_entries,
    read_parts,
    sweep,
)
from overround.bookmakers.kit.names import two_teams
from overround.errors import FetchError, MalformedError
from overround.ports import Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response
from overround.texts import plain_text

_DISPLAY: Final = {"DISP": "0"}
_POPULAR_MARKETS = "1"

_Part = TypeVar("_Part")

_sports = msgspec.json.Decoder(SportsAnswer)
_sport = msgspec.json.Decoder(SportEntry, strict=False)
_country = msgspec.json.Decoder(CountryEntry, strict=False)
_group = msgspec.json.Decoder(GroupEntry, strict=False)
_groups = msgspec.json.Decoder(GroupAnswer)
_event = msgspec.json.Decoder(ListEvent)


class Bet9jaClient:
    """Implements the `BookmakerClient` port.

    Discovery asks `GetSports` for the tree of leagues, then `GetEventsInGroupV2` for each league: the
    API takes one league at a time, has no pages and no list of all events.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all upcoming listings of these sports, league by league; sports it does not have are passed over."""
        wanted = {SPORT_IDS[sport]: sport for sport in sports if sport in SPORT_IDS}
        if not wanted:
            return
        try:
            leagues, unread = await self._leagues(wanted)
        except FetchError as error:
            for sport in wanted.values():
                yield failure(SLUG, sport, error)
            return
        for failed in unread:
            yield failed
        async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
            async for answer in answers:
                yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its markets, undecoded."""
        params = {"EVENTID": listing.listing_id, **_DISPLAY}
        return await self._get("GetEvent", params, f"event {listing.listing_id}")

    async def _get(self, call: str, params: Mapping[str, str], subject: str) -> Response:
        refusal = partial(refusal_of, subject=subject)
        return await self._fetcher.get(f"{API}{call}", params=params, subject=subject, refusal=refusal)

    async def _leagues(self, wanted: Mapping[str, str]) -> tuple[list[Tournament], list[DiscoveryFailure]]:
        subject = "sports"
        response = await self._get("GetSports", _DISPLAY, subject)
        answer = decode_json(_sports, response.body, SLUG, subject)
        tree = SportsTree() if answer.d == [] else answer.d
        if answer.r != SUCCESS or not isinstance(tree, SportsTree):
            raise _refused(response.body, subject)
        return _leagues_of(tree, wanted)

    async def _league(self, league: Tournament) -> LeagueListings:
        subject = f"events of {league_label(league)}"
        params = {"GROUPID": league.id, **_DISPLAY, "GROUPMARKETID": _POPULAR_MARKETS}
        response = await self._get("GetEventsInGroupV2", params, subject)
        answer = decode_json(_groups, response.body, SLUG, subject)
        group = Group() if answer.d == [] else answer.d
        if answer.r != SUCCESS or not isinstance(group, Group):
            raise _refused(response.body, subject)
        found = read_entries(_events(group), _event, lambda event: _listing(event, league.sport))
        return found.of_league(SLUG, league_label(league), stated=league.events)


def _leagues_of(tree: SportsTree, wanted: Mapping[str, str]) -> tuple[list[Tournament], list[DiscoveryFailure]]:
    """Return the leagues that have events, of the sports by id, and a failure for each part that cannot be read."""
    found: list[Tournament] = []
    unread: list[DiscoveryFailure] = []
    for sport_id, entry in _read(tree.pal, _sport, "sports", unread):
        sport = wanted.get(sport_id or str(entry.sid))
        if sport is None:
            continue
        for _, country in _read(entry.sg, _country, sport, unread):
            name = plain_text(country.sg_desc)
            leagues = _read(country.g, _group, f"{name} / ", unread)
            found += [_tournament(group_id, league, name, sport) for group_id, league in leagues if league.num]
    return [league for league in found if league.id], unread


def _tournament(group_id: str, entry: GroupEntry, country: str, sport: str) -> Tournament:
    """Return a league; one of a list that does not tell its id cannot be asked for, and has none."""
    league = group_id or str(entry.gid or "")
    name = plain_text(entry.g_desc) or league
    return Tournament(id=league, name=name, country=country, sport=sport, events=entry.num)


def _read(
    parts: Mapping[str, msgspec.Raw] | Sequence[msgspec.Raw] | None,
    decoder: msgspec.json.Decoder[_Part],
    place: str,
    unread: list[DiscoveryFailure],
) -> Iterator[tuple[str, _Part]]:
    """Yield the parts of a collection with their ids, which are "" in a list; `unread` takes those that are damaged."""
    named = parts.items() if isinstance(parts, Mapping) else (("", part) for part in parts or ())
    for part_id, part in named:
        read, failures = read_parts((part,), decoder, SLUG, place)
        unread += failures
        yield from ((part_id, one) for one in read)


def _events(group: Group) -> Sequence[msgspec.Raw]:
    """Return the events of a group; a league with nothing on offer has none, or no `E`."""
    return tuple(group.e.values()) if isinstance(group.e, dict) else group.e or ()


def _refused(body: bytes, subject: str) -> FetchError:
    return refusal_of(body, subject) or MalformedError(SLUG, subject, "there are no data", "D")


def _listing(event: ListEvent, sport: str) -> Listing:
    teams = two_teams(event.ds)
    if teams is None:
        raise UnreadableEntryError("not two teams")
    return Listing(
        bookmaker=SLUG,
        listing_id=str(event.id),
        sr_id=sr_number(str(event.extid or "")),
        sport=sport,
        home=teams[0],
        away=teams[1],
        kickoff=from_text(event.startdate),
        country=plain_text(event.sg),
        tournament=plain_text(event.gn),
        active=event.st == OPEN,
    )
