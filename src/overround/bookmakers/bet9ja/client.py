"""Bet9ja's API."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

import msgspec

from overround.bookmakers.bet9ja.listing_wire import (
    API,
    OPEN,
    SPORT_IDS,
    SUCCESS,
    CountryEntry,
    Group,
    GroupAnswer,
    ListEvent,
    SportsAnswer,
    SportsTree,
)
from overround.bookmakers.bet9ja.wire import SLUG
from overround.bookmakers.kit.decoding import decode_json, sr_number
from overround.bookmakers.kit.league_discovery import UnusableEntryError, failure, league_label, read_entries, sweep
from overround.errors import FetchError, MalformedError
from overround.ports import Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response

_DISPLAY: Final = {"DISP": "0"}
_POPULAR_MARKETS = "1"
_SEPARATOR = " - "  # team names hold hyphens too, but without spaces

_sports = msgspec.json.Decoder(SportsAnswer, strict=False)
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
            tree = await self._tree()
        except FetchError as error:
            for sport in wanted.values():
                yield failure(SLUG, sport, error)
            return
        leagues = [league for sport_id, sport in wanted.items() for league in _leagues(tree, sport_id, sport)]
        async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
            async for answer in answers:
                yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its markets, undecoded."""
        params = {"EVENTID": listing.listing_id, **_DISPLAY}
        return await self._fetcher.get(f"{API}GetEvent", params=params, subject=f"event {listing.listing_id}")

    async def _tree(self) -> SportsTree:
        subject = "sports"
        response = await self._fetcher.get(f"{API}GetSports", params=_DISPLAY, subject=subject)
        answer = decode_json(_sports, response.body, SLUG, subject)
        if answer.r != SUCCESS or not isinstance(answer.d, SportsTree):
            raise _refused(subject, answer.r)
        return answer.d

    async def _league(self, league: Tournament) -> LeagueListings:
        subject = f"events of {league_label(league)}"
        params = {"GROUPID": league.id, **_DISPLAY, "GROUPMARKETID": _POPULAR_MARKETS}
        response = await self._fetcher.get(f"{API}GetEventsInGroupV2", params=params, subject=subject)
        answer = decode_json(_groups, response.body, SLUG, subject)
        if answer.r != SUCCESS or not isinstance(answer.d, Group):
            raise _refused(subject, answer.r)
        listings, dropped = read_entries(_events(answer.d), _event, lambda event: _listing(event, league.sport))
        return LeagueListings(bookmaker=SLUG, league=league_label(league), listings=listings, dropped=dropped)


def _leagues(tree: SportsTree, sport_id: str, sport: str) -> Iterator[Tournament]:
    """Yield the leagues of a sport that have events; one of a list that does not tell its id cannot be asked for."""
    for country in _countries(tree, sport_id):
        groups = country.g if isinstance(country.g, dict) else {str(entry.gid or ""): entry for entry in country.g}
        for group_id, group in groups.items():
            if group_id and group.num:
                yield Tournament(id=group_id, name=group.g_desc, country=country.sg_desc, sport=sport)


def _countries(tree: SportsTree, sport_id: str) -> Iterable[CountryEntry]:
    sports = tree.pal if isinstance(tree.pal, dict) else {str(entry.sid): entry for entry in tree.pal}
    entry = sports.get(sport_id)
    if entry is None:
        return ()
    return entry.sg.values() if isinstance(entry.sg, dict) else entry.sg


def _events(group: Group) -> Sequence[msgspec.Raw]:
    """Return the events of a group; a league with nothing on offer has none, or no `E`."""
    return tuple(group.e.values()) if isinstance(group.e, dict) else group.e or ()


def _refused(subject: str, code: str) -> MalformedError:
    return MalformedError(SLUG, subject, f"no answer, with code {code[:40]!r}")


def _listing(event: ListEvent, sport: str) -> Listing:
    home, separator, away = event.ds.partition(_SEPARATOR)
    if not separator:
        raise UnusableEntryError("not two teams")
    return Listing(
        bookmaker=SLUG,
        listing_id=str(event.id),
        sr_id=sr_number(str(event.extid or "")),
        sport=sport,
        home=home.strip(),
        away=away.strip(),
        kickoff=_kickoff(event.startdate),
        country=event.sg,
        tournament=event.gn,
        active=event.st == OPEN,
    )


def _kickoff(text: str) -> datetime:
    try:
        kickoff = datetime.fromisoformat(text)
        return kickoff.replace(tzinfo=kickoff.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnusableEntryError("kick-off is no date") from error
