"""SportyBet's API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from overround.bookmakers.kit.dates import from_milliseconds
from overround.bookmakers.kit.decoding import decode_json, sr_number
from overround.bookmakers.kit.league_discovery import (
    UnusableEntryError,
    failure,
    league_label,
    read_entries,
    read_parts,
    sweep,
)
from overround.bookmakers.sportybet.listing_wire import (
    NOT_STARTED,
    SPORT_IDS,
    SUCCESS,
    CategoryEntry,
    LeagueQuery,
    LeaguesAnswer,
    ListEvent,
    SportEntry,
    SportList,
    SportListAnswer,
    TournamentEntry,
)
from overround.bookmakers.sportybet.wire import SLUG, refusal_of
from overround.errors import FetchError, MalformedError
from overround.ports import Clock, Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response
from overround.texts import plain_text

_PREMATCH = "3"
_ONE_MARKET = "1"  # lists embed the markets they are asked for: one, the smallest, keeps them light
_MATCH = "sr:match:"
_LEAGUE = "sr:tournament:"
_SIMULATED = "SRL"

_sport_lists = msgspec.json.Decoder(SportListAnswer)
_sport = msgspec.json.Decoder(SportEntry)
_category = msgspec.json.Decoder(CategoryEntry)
_tournament = msgspec.json.Decoder(TournamentEntry, strict=False)
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
                leagues, unread = await self._tournaments(sport)
            except FetchError as error:
                yield failure(SLUG, sport, error)
                continue
            for failed in unread:
                yield failed
            async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
                async for answer in answers:
                    yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its prematch markets, undecoded."""
        params = self._uncached({"eventId": listing.listing_id, "productId": _PREMATCH})
        subject = f"event {listing.listing_id}"
        refusal = partial(refusal_of, subject=subject, of_event=True)
        return await self._fetcher.get(f"{self._api}/event", params=params, subject=subject, refusal=refusal)

    async def _tournaments(self, sport: str) -> tuple[list[Tournament], list[DiscoveryFailure]]:
        subject = f"leagues of {sport}"
        params = self._uncached({"sportId": SPORT_IDS[sport], "timeline": "", "productId": _PREMATCH})
        path, refusal = f"{self._api}/popularAndSportList", partial(refusal_of, subject=subject)
        response = await self._fetcher.get(path, params=params, subject=subject, refusal=refusal)
        answer = decode_json(_sport_lists, response.body, SLUG, subject)
        if answer.biz_code != SUCCESS or answer.data is None:
            raise _refused(response.body, subject)
        return _leagues_of(answer.data, sport)

    async def _league(self, league: Tournament) -> LeagueListings:
        subject = f"events of {league_label(league)}"
        query = LeagueQuery(sport_id=SPORT_IDS[league.sport], market_id=_ONE_MARKET, tournament_id=((league.id,),))
        path, refusal = f"{self._api}/pcEvents", partial(refusal_of, subject=subject)
        response = await self._fetcher.post(path, json=[query], subject=subject, refusal=refusal)
        answer = decode_json(_leagues, response.body, SLUG, subject)
        if answer.biz_code != SUCCESS or answer.data is None:
            raise _refused(response.body, subject)
        entries = [event for entry in answer.data for event in entry.events or ()]
        found = read_entries(entries, _event, lambda event: _listing(event, league.sport))
        return found.of_league(SLUG, league_label(league), stated=league.events)

    def _uncached(self, params: Mapping[str, str]) -> dict[str, str]:
        """Add the site's own parameter that keeps a cache between us from answering."""
        return {**params, "_t": str(round(self._clock.now().timestamp() * 1000))}


def _leagues_of(sports: SportList, sport: str) -> tuple[list[Tournament], list[DiscoveryFailure]]:
    """Return a sport's leagues, each once, and a failure for each part of the tree that cannot be read."""
    found: dict[str, Tournament] = {}
    entries, failures = read_parts(sports.sport_list or (), _sport, SLUG, sport)
    unread = list(failures)
    for entry in entries:
        if entry.id != SPORT_IDS[sport]:
            continue
        categories, failures = read_parts(entry.categories or (), _category, SLUG, sport)
        unread += failures
        for category in categories:
            country = plain_text(category.name)
            leagues, failures = read_parts(category.tournaments or (), _tournament, SLUG, f"{country} / ")
            unread += failures
            found.update((league.id, _league_of(league, country, sport)) for league in leagues if _is_real(league))
    return list(found.values()), unread


def _is_real(league: TournamentEntry) -> bool:
    return league.id.startswith(_LEAGUE)  # the others are virtual football


def _league_of(league: TournamentEntry, country: str, sport: str) -> Tournament:
    name = plain_text(league.name) or league.id
    return Tournament(id=league.id, name=name, country=country, sport=sport, events=league.event_size or None)


def _refused(body: bytes, subject: str) -> FetchError:
    return refusal_of(body, subject) or MalformedError(SLUG, subject, "there are no data", "data")


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
        home=plain_text(event.home_team_name),
        away=plain_text(event.away_team_name),
        kickoff=from_milliseconds(event.estimate_start_time),
        country=plain_text(category.name),
        tournament=plain_text(category.tournament.name),
        active=not event.banned,
    )
