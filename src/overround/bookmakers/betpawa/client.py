"""BetPawa's API, version 4."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC

import msgspec

from overround.bookmakers.betpawa.listing_wire import (
    PREFIX,
    SPORT_IDS,
    CategoriesAnswer,
    EventQuery,
    ListAnswer,
    ListEvent,
    PagedQuery,
    Queries,
    Zones,
)
from overround.bookmakers.betpawa.wire import SLUG
from overround.bookmakers.kit.decoding import decode_json, sr_number
from overround.bookmakers.kit.league_discovery import (
    UnusableEntryError,
    failure,
    league_label,
    read_entries,
    sweep,
)
from overround.errors import FetchError, MalformedError
from overround.ports import Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response

_API = f"{PREFIX}v4"
_PAGE_SIZE = 100
# Some country hosts cap a page at 50 whatever is asked for: only a page below that is surely the last.
_SMALLEST_FULL_PAGE = 50
_MAX_PAGES = 20  # far above any league; a server that ignores `skip` must not hold us for ever
_HOME, _AWAY = 1, 2

_categories = msgspec.json.Decoder(CategoriesAnswer, strict=False)
_lists = msgspec.json.Decoder(ListAnswer)
_event = msgspec.json.Decoder(ListEvent)


class BetpawaClient:
    """Implements the `BookmakerClient` port.

    Discovery asks for the regions of a sport, then for the events of each competition. The whole
    sport in pages would need fewer requests, but its pages shift whenever an event starts, so that
    an event could be missed without a sign; a competition fits one page and is complete in itself.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all upcoming listings of these sports, league by league; sports it does not have are passed over."""
        for sport in sports:
            if sport not in SPORT_IDS:
                continue
            try:
                leagues = await self._leagues(sport)
            except FetchError as error:
                yield failure(SLUG, sport, error)
                continue
            async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
                async for answer in answers:
                    yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its markets, undecoded."""
        return await self._fetcher.get(f"{_API}/events/{listing.listing_id}", subject=f"event {listing.listing_id}")

    async def _leagues(self, sport: str) -> list[Tournament]:
        subject = f"categories of {sport}"
        path = f"{_API}/categories/list/{SPORT_IDS[sport]}"
        response = await self._fetcher.get(path, params={"includeRegions": "true"}, subject=subject)
        answer = decode_json(_categories, response.body, SLUG, subject)
        return [
            Tournament(id=entry.competition.id, name=entry.competition.name, country=region.region.name, sport=sport)
            for category in answer.with_regions
            for region in category.regions or ()
            for entry in region.competitions or ()
            if entry.event_counts is None or entry.event_counts.upcoming
        ]

    async def _league(self, league: Tournament) -> LeagueListings:
        entries: list[msgspec.Raw] = []
        for _ in range(_MAX_PAGES):
            page = await self._page(league, len(entries))
            entries += page
            if len(page) < _SMALLEST_FULL_PAGE:
                break
        else:
            raise MalformedError(SLUG, league_label(league), f"more than {_MAX_PAGES} pages of events")
        listings, dropped = read_entries(entries, _event, lambda event: _listing(event, league.sport))
        return LeagueListings(bookmaker=SLUG, league=league_label(league), listings=listings, dropped=dropped)

    async def _page(self, league: Tournament, skip: int) -> Sequence[msgspec.Raw]:
        query = EventQuery(
            event_type="UPCOMING",
            categories=(SPORT_IDS[league.sport],),
            zones=Zones(competitions=(league.id,)),
        )
        queries = Queries(queries=(PagedQuery(query=query, skip=skip, take=_PAGE_SIZE),))
        subject = f"events of {league_label(league)}"
        response = await self._fetcher.get(
            f"{_API}/events/lists/by-queries",
            params={"q": msgspec.json.encode(queries).decode()},
            subject=subject,
        )
        answer = decode_json(_lists, response.body, SLUG, subject)
        return [entry for element in answer.responses for entry in element.responses or ()]


def _listing(event: ListEvent, sport: str) -> Listing:
    teams = {participant.position: participant.name for participant in event.participants}
    if not teams.get(_HOME) or not teams.get(_AWAY):
        raise UnusableEntryError("not two teams")
    return Listing(
        bookmaker=SLUG,
        listing_id=event.id,
        sr_id=_sr_id(event),
        sport=sport,
        home=teams[_HOME],
        away=teams[_AWAY],
        kickoff=event.start_time.astimezone(UTC),
        country=event.region.name,
        tournament=event.competition.name,
    )


def _sr_id(event: ListEvent) -> int | None:
    """Return the SportRadar number where the list tells it; the detail body may, where this does not."""
    ids = (sr_number(widget.id) for widget in event.widgets or () if widget.type == "SPORTRADAR")
    return next((number for number in ids if number is not None), None)
