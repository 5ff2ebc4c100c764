"""BetPawa's API, version 4."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from overround.bookmakers.betpawa.listing_wire import (
    PREFIX,
    SPORT_IDS,
    CategoriesAnswer,
    CompetitionEntry,
    EventQuery,
    ListAnswer,
    ListEvent,
    PagedQuery,
    Queries,
    RegionEntry,
    SportEntry,
    Zones,
)
from overround.bookmakers.betpawa.wire import SLUG, refusal_of
from overround.bookmakers.kit.dates import bounded
from overround.bookmakers.kit.decoding import decode_json, decode_or_none, sr_number
from overround.bookmakers.kit.league_discovery import (
    MOST_LISTED,
    Entries,
    UnreadableEntryError,
    beyond_the_limit,
    failure,
    league_label,
    read_entries,
    read_parts,
    sweep,
)
from overround.errors import FetchError, MalformedError
from overround.ports import Fetcher
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.response import Response
from overround.texts import plain_text

_API = f"{PREFIX}v4"
_PAGE_SIZE = 100
# Some country hosts cap a page at 50, or below, whatever is asked for: a page of that size is never the last, and a
# shorter one only where the count says so. Nothing but an empty page ends a list of which there is no count.
_SMALLEST_FULL_PAGE = 50
_HOME, _AWAY = 1, 2

_categories = msgspec.json.Decoder(CategoriesAnswer)
_sport = msgspec.json.Decoder(SportEntry)
_region = msgspec.json.Decoder(RegionEntry)
_competition = msgspec.json.Decoder(CompetitionEntry, strict=False)
_anything: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
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
                leagues, unread = await self._leagues(sport)
            except FetchError as error:
                yield failure(SLUG, sport, error)
                continue
            for failed in unread:
                yield failed
            async with aclosing(sweep(SLUG, leagues, self._league)) as answers:
                async for answer in answers:
                    yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its markets, undecoded."""
        subject = f"event {listing.listing_id}"
        refusal = partial(refusal_of, subject=subject)
        return await self._fetcher.get(f"{_API}/events/{listing.listing_id}", subject=subject, refusal=refusal)

    async def _leagues(self, sport: str) -> tuple[list[Tournament], list[DiscoveryFailure]]:
        subject = f"categories of {sport}"
        path, refusal = f"{_API}/categories/list/{SPORT_IDS[sport]}", partial(refusal_of, subject=subject)
        response = await self._fetcher.get(path, params={"includeRegions": "true"}, subject=subject, refusal=refusal)
        answer = decode_json(_categories, response.body, SLUG, subject)
        if answer.with_regions is None and not _is_empty(response.body):
            raise MalformedError(SLUG, subject, "it is missing", "withRegions")
        return _leagues_of(answer, sport)

    async def _league(self, league: Tournament) -> LeagueListings:
        """Read a league's list; one that does not hold as many events as the league is said to have is read again."""
        found = await self._entries(league)
        if league.events is not None and found.listed != league.events and not found.unlisted:
            found = await self._entries(league)
        return found.of_league(SLUG, league_label(league), stated=league.events)

    async def _entries(self, league: Tournament) -> Entries:
        """Read pages until the last one, or until no more entries of a league are read."""
        entries: list[msgspec.Raw] = []
        beyond = 0
        while page := await self._page(league, len(entries)):
            if entries and bytes(page[0]) == bytes(entries[0]):
                raise MalformedError(SLUG, league_label(league), "its pages of events repeat themselves")
            entries += page
            if _is_last(page, len(entries), league.events):
                break
            if len(entries) >= MOST_LISTED:
                beyond = max(1, (league.events or 0) - len(entries))
                break
        found = read_entries(entries, _event, lambda event: _listing(event, league.sport))
        dropped = (*found.dropped, *beyond_the_limit(beyond))
        return msgspec.structs.replace(found, unlisted=found.unlisted + beyond, dropped=dropped)

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
            refusal=partial(refusal_of, subject=subject),
        )
        answer = decode_json(_lists, response.body, SLUG, subject)
        return [entry for element in answer.responses for entry in element.responses or ()]


def _leagues_of(answer: CategoriesAnswer, sport: str) -> tuple[list[Tournament], list[DiscoveryFailure]]:
    """Return the leagues that have events, and a failure for each part of the tree that cannot be read."""
    found: list[Tournament] = []
    entries, failures = read_parts(answer.with_regions or (), _sport, SLUG, sport)
    unread = list(failures)
    for entry in entries:
        regions, failures = read_parts(entry.regions or (), _region, SLUG, sport)
        unread += failures
        for region in regions:
            country = plain_text(region.region.name) if region.region else ""
            leagues, failures = read_parts(region.competitions or (), _competition, SLUG, f"{country} / ")
            unread += failures
            found += [_tournament(league, country, sport) for league in leagues if _has_events(league)]
    return found, unread


def _is_empty(body: bytes) -> bool:
    """Tell whether a body is an empty object, or has null in its only place: protobuf leaves out what is empty."""
    fields = decode_or_none(_anything, body)
    return fields is not None and fields.keys() <= {"withRegions"}


def _has_events(entry: CompetitionEntry) -> bool:
    return entry.event_counts is None or bool(entry.event_counts.upcoming)


def _tournament(entry: CompetitionEntry, country: str, sport: str) -> Tournament:
    league = entry.competition
    return Tournament(
        id=league.id,
        name=plain_text(league.name) or league.id,
        country=country,
        sport=sport,
        events=None if entry.event_counts is None else entry.event_counts.upcoming,
    )


def _is_last(page: Sequence[msgspec.Raw], read: int, stated: int | None) -> bool:
    if not page:
        return True
    return stated is not None and read >= stated and len(page) < _SMALLEST_FULL_PAGE


def _listing(event: ListEvent, sport: str) -> Listing:
    teams = {participant.position: plain_text(participant.name) for participant in event.participants}
    home, away = teams.get(_HOME), teams.get(_AWAY)
    if not home or not away:
        raise UnreadableEntryError("not two teams")
    return Listing(
        bookmaker=SLUG,
        listing_id=event.id,
        sr_id=_sr_id(event),
        sport=sport,
        home=home,
        away=away,
        kickoff=bounded(event.start_time),
        country=plain_text(event.region.name),
        tournament=plain_text(event.competition.name),
    )


def _sr_id(event: ListEvent) -> int | None:
    """Return the SportRadar number where the list tells it; the detail body may, where this does not."""
    ids = (sr_number(widget.id or "") for widget in event.widgets or () if widget.type == "SPORTRADAR")
    return next((number for number in ids if number is not None), None)
