"""Three bookmakers of another distribution, with 2,000 events that nobody has to send, parse or wait for.

With each discovery the market moves by a tick, at which a tenth of all markets has new prices.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from overround.catalogue import Catalogue
from overround.ports import BookmakerOptions, Clock, Fetcher, Recording, SimulatedAnswer
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Offer
from overround.records.odds import MarketKey, MarketPrices
from overround.records.response import Response

EVENTS = 2000
LEAGUES = 40
FIRST = 50_000_001
TENTH = 10
KEYS = (
    MarketKey("match_result"),
    MarketKey("double_chance"),
    MarketKey("both_teams_to_score"),
    *(MarketKey("total_goals", f"line={line}") for line in ("0.5", "1.5", "2.5", "3.5", "4.5")),
)


class Body(msgspec.Struct, frozen=True):
    """An event at a tick."""

    number: int
    tick: int
    kickoff: datetime


class Client:
    """Lists the events and answers with them, without asking anybody."""

    def __init__(self, slug: str, clock: Clock) -> None:
        self._slug = slug
        self._clock = clock
        self._first_kickoff = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)
        self._tick = 0

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all events, and move on."""
        del sports
        self._tick += 1
        for league in range(LEAGUES):
            numbers = range(league, EVENTS, LEAGUES)
            listings = tuple(_listing(self._slug, number, self._kickoff(number)) for number in numbers)
            yield LeagueListings(bookmaker=self._slug, league=str(league), listings=listings)

    async def fetch_event(self, listing: Listing) -> Response:
        """Return an event as it is at this tick."""
        number = int(listing.listing_id)
        body = msgspec.json.encode(Body(number, self._tick, self._kickoff(number)))
        return Response(body=body, received_at=self._clock.now(), duration_ms=1)

    def _kickoff(self, number: int) -> datetime:
        return self._first_kickoff + timedelta(minutes=number // 4)


class Normaliser:
    """Makes prices of an event's number and the tick."""

    def __init__(self, slug: str, number: int, catalogue: Catalogue) -> None:
        self._slug = slug
        self._lead = number % 7
        self._outcomes = {key: range(len(catalogue.market(key.market).outcomes)) for key in KEYS}

    @property
    def covered(self) -> frozenset[str]:
        """Return the markets that it has."""
        return frozenset(key.market for key in KEYS)

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Return an event's prices."""
        del at
        event = msgspec.json.decode(body, type=Body)
        markets = {key: self._prices(key, index, event) for index, key in enumerate(KEYS)}
        return Offer(listing=_listing(self._slug, event.number, event.kickoff), markets=markets, complete=True)

    def _prices(self, key: MarketKey, index: int, event: Body) -> MarketPrices:
        """Return prices that are others at every tenth tick, which is another one for each market."""
        moves = (event.tick + event.number * 3 + index * 7 + self._lead) // TENTH
        start = 1500 + event.number % 40 * 25 + self._lead * 15
        return MarketPrices(tuple(start + 400 * at + moves * (37 + at) % 200 for at in self._outcomes[key]))


def _listing(slug: str, number: int, kickoff: datetime) -> Listing:
    return Listing(
        bookmaker=slug,
        listing_id=str(number),
        sr_id=FIRST + number,
        sport="football",
        home=f"Home {number}",
        away=f"Away {number}",
        kickoff=kickoff,
        country=f"Country {number % LEAGUES // 4}",
        tournament=f"League {number % LEAGUES}",
    )


class _Bookmaker(msgspec.Struct, frozen=True, kw_only=True):
    slug: str
    name: str
    number: int
    defaults: BookmakerOptions = BookmakerOptions(base_url="https://crowd.example", concurrency=100)

    def normaliser(self, catalogue: Catalogue) -> Normaliser:
        """Build the normaliser."""
        return Normaliser(self.slug, self.number, catalogue)

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> Client:
        """Build the client."""
        del fetcher, options
        return Client(self.slug, clock)

    def replay(self, recordings: Sequence[Recording]) -> "NoServer":
        """Build what nobody asks."""
        del recordings
        return NoServer()


class NoServer:
    """The server's side: there is none."""

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer that there is nothing."""
        del method, path, query, body
        return SimulatedAnswer(status=404, body=b"{}")


NORTH = _Bookmaker(slug="north", name="North", number=31001)
SOUTH = _Bookmaker(slug="south", name="South", number=31002)
WEST = _Bookmaker(slug="west", name="West", number=31003)
