"""Bodies of the simulated bookmakers, fetched once and served again from memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

import aiohttp
import msgspec

from benchmarks.pipeline.stage import MarketTime
from overround.bookmakers.registry import load_bookmakers
from overround.clock import OffsetClock
from overround.fetching.known_bodies import body_digest
from overround.ports import BookmakerClient, Clock, Normaliser, Refusal
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Offer
from overround.records.response import KnownBody, Response
from overround.simulator.model.parameters import EPOCH
from overround.simulator.server.child import SimulatorHandle

_CONCURRENCY = 75  # the sum of the bookmakers' own limits
SPORTS = ("football",)
_PART = 8  # bytes
Known = Callable[[bytes, datetime], KnownBody | None]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One listing, and its body at each of some ticks."""

    listing: Listing
    bodies: tuple[bytes, ...]


class BareFetcher:
    """Implements the `Fetcher` port with aiohttp and nothing around it."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, clock: Clock) -> None:
        self._session = session
        self._base = base_url
        self._clock = clock

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask for a path."""
        del subject, refusal
        async with self._session.get(self._url(path), params=params) as response:
            return self._response(await response.read())

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Send a JSON body to a path."""
        del subject, refusal
        data, headers = msgspec.json.encode(json), {"Content-Type": "application/json"}
        async with self._session.post(self._url(path), params=params, data=data, headers=headers) as response:
            return self._response(await response.read())

    def _url(self, path: str) -> str:
        return f"{self._base}/{path.lstrip('/')}"

    def _response(self, body: bytes) -> Response:
        return Response(body=body, received_at=self._clock.now(), duration_ms=0)


class MemoryClient:
    """Implements the `BookmakerClient` port on bodies in memory; `variant` chooses among each listing's bodies.

    A digest is 8 bytes of the listing and 8 of the body, so that listings of one template are not taken for each
    other's. What hashing costs is not in here: a fetcher hashes compressed bytes.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        templates: Sequence[Template],
        clock: Clock,
        known: Known | None = None,
        watch: Callable[[bytes], None] | None = None,
    ) -> None:
        """The listings' bodies are those of the templates, over and over; `known` is as for the real fetcher.

        `watch` is shown every body that is fetched.
        """
        self._listings = listings
        self._bodies = {one.listing_id: templates[index % len(templates)].bodies for index, one in enumerate(listings)}
        self._digests = {body: body_digest(body)[:_PART] for template in templates for body in template.bodies}
        self._clock = clock
        self._known = known
        self._watch = watch
        self.variant = 0

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all listings as one league."""
        del sports
        if self._listings:
            yield LeagueListings(bookmaker=self._listings[0].bookmaker, league="all", listings=tuple(self._listings))

    async def fetch_event(self, listing: Listing) -> Response:
        """Return the present body."""
        bodies = self._bodies[listing.listing_id]
        body, at = bodies[self.variant % len(bodies)], self._clock.now()
        if self._watch is not None:
            self._watch(body)
        digest = body_digest(listing.listing_id.encode())[:_PART] + self._digests[body]
        known = self._known(digest, at) if self._known is not None else None
        return Response(body=b"" if known else body, received_at=at, duration_ms=0, digest=digest, known=known)


class ListingBodies:
    """A reader that knows the newest body of each listing by the listing's part of a `MemoryClient`'s digests.

    The real one goes by what the body says of its listing, and here many listings have the same body.
    """

    def __init__(self, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._bodies: dict[bytes, KnownBody] = {}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._normaliser.covered

    def known(self, digest: bytes, at: datetime) -> KnownBody | None:
        """Return what the body says, if it is its listing's newest."""
        del at
        body = self._bodies.get(digest[:_PART])
        return body if body is not None and body.offer.body_hash == digest else None

    def read(self, response: Response) -> Offer:
        """Return what the body says."""
        if response.known is not None:
            return response.known.offer
        offer = self._normaliser.normalise(response.body, response.received_at)
        offer = msgspec.structs.replace(offer, body_hash=response.digest)
        self._bodies[response.digest[:_PART]] = KnownBody(offer=offer, bytes=response.bytes)
        return offer


class Collector:
    """Fetches what a simulator serves, tick by tick."""

    def __init__(self, simulator: SimulatorHandle, session: aiohttp.ClientSession) -> None:
        self._market = MarketTime(simulator)
        self._clock = OffsetClock(EPOCH)
        self._places = asyncio.Semaphore(_CONCURRENCY)
        bookmakers = load_bookmakers()
        self.clients: Mapping[str, BookmakerClient] = {
            slug: bookmakers[slug].client(
                BareFetcher(session, simulator.base_url(slug), self._clock), bookmakers[slug].defaults, self._clock
            )
            for slug in simulator.listings
        }

    async def next_tick(self) -> datetime:
        """Move the market."""
        at = await self._market.next()
        self._clock.move_to(at)
        return at

    async def listings(self, at_most: int) -> Mapping[str, Sequence[Listing]]:
        """Return each bookmaker's first listings that carry a number."""
        return {slug: [one async for one in _numbered(client)][:at_most] for slug, client in self.clients.items()}

    async def bodies(self, listings: Mapping[str, Sequence[Listing]]) -> Mapping[str, Sequence[bytes]]:
        """Fetch all listings of all bookmakers at once, within the bookmakers' concurrency."""
        wanted = [(slug, listing) for slug, listed in listings.items() for listing in listed]
        fetched = await asyncio.gather(*(self._body(slug, listing) for slug, listing in wanted))
        by_slug: dict[str, list[bytes]] = {slug: [] for slug in listings}
        for (slug, _), body in zip(wanted, fetched, strict=True):
            by_slug[slug].append(body)
        return by_slug

    async def templates(self, at_most: int, ticks: int) -> Mapping[str, Sequence[Template]]:
        """Return listings with their bodies at so many ticks that follow each other."""
        await self.next_tick()
        listings = await self.listings(at_most)
        rounds = [await self.bodies(listings)]
        for _ in range(1, ticks):
            await self.next_tick()
            rounds.append(await self.bodies(listings))
        return {
            slug: [
                Template(listing=listing, bodies=tuple(bodies[slug][index] for bodies in rounds))
                for index, listing in enumerate(listed)
            ]
            for slug, listed in listings.items()
        }

    async def _body(self, slug: str, listing: Listing) -> bytes:
        async with self._places:
            return (await self.clients[slug].fetch_event(listing)).body


async def _numbered(client: BookmakerClient) -> AsyncIterator[Listing]:
    async for found in client.discover(SPORTS):
        if isinstance(found, LeagueListings):
            for listing in found.listings:
                if listing.sr_id is not None:
                    yield listing
