"""A bookmaker of its own distribution, with the smallest format that has what a format needs.

`/leagues` lists leagues, `/leagues/{id}` their events, `/events/{id}` is one event with its prices.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import msgspec

from overround.bookmakers.kit.decoding import decode_json, sr_number
from overround.bookmakers.kit.league_discovery import failure, league_label, read_entries, sweep
from overround.catalogue import Catalogue
from overround.errors import FetchError, GoneError
from overround.ports import BookmakerOptions, Clock, Fetcher, Recording, SimulatedAnswer
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Offer, Tournament
from overround.records.odds import MarketKey, MarketPrices, Unmapped, parse_price
from overround.records.response import Response

SLUG = "toy"
_MARKETS = {"winner": "match_result"}


class ToyLeague(msgspec.Struct, frozen=True):
    """A league."""

    id: str
    name: str
    country: str
    sport: str


class ToyEvent(msgspec.Struct, frozen=True):
    """An event; prices are texts by market and outcome, and a list has none."""

    id: str
    match: str
    home: str
    away: str
    start: Annotated[datetime, msgspec.Meta(tz=True)]
    league: ToyLeague
    started: bool = False
    markets: dict[str, dict[str, str]] = {}


class ToyAnswer(msgspec.Struct, frozen=True):
    """A single-event answer; no event: there is none of that id."""

    event: ToyEvent | None = None


_leagues = msgspec.json.Decoder(tuple[ToyLeague, ...])
_events = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_event = msgspec.json.Decoder(ToyEvent)
_answer = msgspec.json.Decoder(ToyAnswer)


def _listing(event: ToyEvent) -> Listing:
    return Listing(
        bookmaker=SLUG,
        listing_id=event.id,
        sr_id=sr_number(event.match),
        sport=event.league.sport,
        home=event.home,
        away=event.away,
        kickoff=event.start,
        country=event.league.country,
        tournament=event.league.name,
    )


class ToyNormaliser:
    """Knows one market."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._outcomes = {wire: catalogue.market(key).outcomes for wire, key in _MARKETS.items()}

    @property
    def covered(self) -> frozenset[str]:
        """Return the market it knows."""
        return frozenset(_MARKETS.values())

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Normalise a single-event answer."""
        event = decode_json(_answer, body, SLUG, "event").event
        if event is None:
            raise GoneError(SLUG, "event", "there is none")
        known = {wire: prices for wire, prices in event.markets.items() if wire in _MARKETS}
        return Offer(
            listing=_listing(event),
            markets={MarketKey(_MARKETS[wire]): self._prices(wire, prices) for wire, prices in known.items()},
            complete=not event.started and at < event.start,
            unmapped=tuple(Unmapped(wire, wire) for wire in event.markets if wire not in known),
        )

    def _prices(self, wire: str, prices: Mapping[str, str]) -> MarketPrices:
        return MarketPrices(tuple(parse_price(prices.get(outcome, "0")) for outcome in self._outcomes[wire]))


class ToyClient:
    """Asks for the leagues, then for each league's events."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield the events of these sports, league by league."""
        try:
            response = await self._fetcher.get("/leagues", subject="leagues")
            leagues = decode_json(_leagues, response.body, SLUG, "leagues")
        except FetchError as error:
            yield failure(SLUG, "all", error)
            return
        wanted = [
            Tournament(id=league.id, name=league.name, country=league.country, sport=league.sport)
            for league in leagues
            if league.sport in sports
        ]
        async with aclosing(sweep(SLUG, wanted, self._league)) as answers:
            async for answer in answers:
                yield answer

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event."""
        return await self._fetcher.get(f"/events/{listing.listing_id}", subject=f"event {listing.listing_id}")

    async def _league(self, league: Tournament) -> LeagueListings:
        subject = league_label(league)
        response = await self._fetcher.get(f"/leagues/{league.id}", subject=subject)
        entries = decode_json(_events, response.body, SLUG, subject)
        return read_entries(entries, _event, _listing).of_league(SLUG, subject)


class ToyReplay:
    """Serves recordings."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        answers = (_answer.decode(recording.body).event for recording in recordings)
        self._events = [msgspec.structs.replace(event, markets={}) for event in answers if event]

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer the three paths."""
        del method, query, body
        match path.strip("/").split("/"):
            case ["leagues"]:
                return _json(list(dict.fromkeys(event.league for event in self._events)))
            case ["leagues", league_id]:
                return _json([event for event in self._events if event.league.id == league_id])
            case ["events", event_id]:
                return SimulatedAnswer(status=200, body=self._bodies.get(event_id, b"{}"))
            case _:
                return SimulatedAnswer(status=404, body=b"{}")


def _json(content: object) -> SimulatedAnswer:
    return SimulatedAnswer(status=200, body=msgspec.json.encode(content))


class _Toy(msgspec.Struct, frozen=True, kw_only=True):
    slug: str = SLUG
    name: str = "Toy"
    number: int = 32000
    defaults: BookmakerOptions = BookmakerOptions(base_url="https://toy.example", concurrency=2)

    def normaliser(self, catalogue: Catalogue) -> ToyNormaliser:
        """Build the normaliser."""
        return ToyNormaliser(catalogue)

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> ToyClient:
        """Build the client."""
        del options, clock
        return ToyClient(fetcher)

    def replay(self, recordings: Sequence[Recording]) -> ToyReplay:
        """Build the server's side."""
        return ToyReplay(recordings)


BOOKMAKER = _Toy()
