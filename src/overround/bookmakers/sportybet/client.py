"""SportyBet's API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec

from overround.bookmakers.kit.decoding import decode_json, instant, sr_number
from overround.bookmakers.kit.league_discovery import UnusableEntryError, failure, league_label, read_entries, sweep
from overround.bookmakers.sportybet.listing_wire import (
    NOT_STARTED,
    SPORT_IDS,
    SUCCESS,
    LeagueQuery,
    LeaguesAnswer,
    ListEvent,
    SportListAnswer,
)
from overround.bookmakers.sportybet.wire import SLUG
from overround.errors import FetchError, MalformedError
from overround.ports import Clock, Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response

_PREMATCH = "3"
_ONE_MARKET = "1"  # lists embed the markets they are asked for: one, the smallest, keeps them light
_MATCH = "sr:match:"
_LEAGUE = "sr:tournament:"
_SIMULATED = "SRL"

_sport_lists = msgspec.json.Decoder(SportListAnswer)
_leagues = msgspec.json.Decoder(LeaguesAnswer)
_event = msgspec.json.Decoder(ListEvent)


class SportybetClient:
    """Implements the `BookmakerClient` port for one country.

    Discovery asks `popularAndSportList` for the leagues, then `pcEvents` for the events of each.
    `pcUpcomingEvents` would need ten pages instead of two hundred calls, but its pages shift while
    they are read, hold fewer events than its total says, and spread a league over several of them:
    nothing in it shows that an event is missing. `pcEvents` gives a league whole, without pages.
    """

    def __init__(self, fetcher: Fetcher, country: str, clock: Clock) -> None:
        self._fetcher = fetcher
        self._api = f"/api/{country}/factsCenter"
        self._clock = clock

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all upcoming listings of these sports, league by league; sports it does not have are passed over."""
        for sport in sports:
            if sport not in SPORT_IDS:
                continue
            try:
                leagues = await self._tournaments(sport)
            except FetchError as error:
                yield failure(SLUG, sport, error)
                continue
            async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
                async for answer in answers:
                    yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its prematch markets, undecoded."""
        params = self._uncached({"eventId": listing.listing_id, "productId": _PREMATCH})
        return await self._fetcher.get(f"{self._api}/event", params=params, subject=f"event {listing.listing_id}")

    async def _tournaments(self, sport: str) -> list[Tournament]:
        subject = f"leagues of {sport}"
        params = self._uncached({"sportId": SPORT_IDS[sport], "timeline": "", "productId": _PREMATCH})
        response = await self._fetcher.get(f"{self._api}/popularAndSportList", params=params, subject=subject)
        answer = decode_json(_sport_lists, response.body, SLUG, subject)
        if answer.biz_code != SUCCESS or answer.data is None:
            raise _refused(subject, answer.biz_code, answer.message)
        found = {
            league.id: Tournament(id=league.id, name=league.name, country=category.name, sport=sport)
            for entry in answer.data.sport_list
            if entry.id == SPORT_IDS[sport]
            for category in entry.categories
            for league in category.tournaments
            if league.id.startswith(_LEAGUE)  # the others are virtual football
        }
        return list(found.values())

    async def _league(self, league: Tournament) -> LeagueListings:
        subject = f"events of {league_label(league)}"
        query = LeagueQuery(sport_id=SPORT_IDS[league.sport], market_id=_ONE_MARKET, tournament_id=((league.id,),))
        response = await self._fetcher.post(f"{self._api}/pcEvents", json=[query], subject=subject)
        answer = decode_json(_leagues, response.body, SLUG, subject)
        if answer.biz_code != SUCCESS or answer.data is None:
            raise _refused(subject, answer.biz_code, answer.message)
        entries = [event for entry in answer.data for event in entry.events]
        listings, dropped = read_entries(entries, _event, lambda event: _listing(event, league.sport))
        return LeagueListings(bookmaker=SLUG, league=league_label(league), listings=listings, dropped=dropped)

    def _uncached(self, params: Mapping[str, str]) -> dict[str, str]:
        """Add the site's own parameter that keeps a cache between us from answering."""
        return {**params, "_t": str(round(self._clock.now().timestamp() * 1000))}


def _refused(subject: str, biz_code: int, message: str) -> MalformedError:
    return MalformedError(SLUG, subject, f"bizCode {biz_code} {message}".rstrip())


def _listing(event: ListEvent, sport: str) -> Listing:
    if not event.event_id.startswith(_MATCH):
        raise UnusableEntryError("virtual match")
    if _SIMULATED in event.home_team_name.split() and _SIMULATED in event.away_team_name.split():
        raise UnusableEntryError("simulated match")
    if event.status != NOT_STARTED:
        raise UnusableEntryError("already started")
    category = event.sport.category
    return Listing(
        bookmaker=SLUG,
        listing_id=event.event_id,
        sr_id=sr_number(event.event_id),
        sport=sport,
        home=event.home_team_name,
        away=event.away_team_name,
        kickoff=_kickoff(event.estimate_start_time),
        country=category.name,
        tournament=category.tournament.name,
        active=not event.banned,
    )


def _kickoff(milliseconds: int) -> datetime:
    try:
        return instant(milliseconds)
    except OverflowError as error:
        raise UnusableEntryError("kick-off is no date") from error
