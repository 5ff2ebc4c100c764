"""A simulated market in this process, asked through the bookmakers' own clients without a socket in between."""

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec

from overround.bookmakers.kit.simulation import Simulation, Size
from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.ports import BookmakerClient, Normaliser, Refusal, SimulatedBookmaker
from overround.records.event import LeagueListings, Listing, Offer
from overround.records.response import Response
from overround.simulator.model.market import Model
from overround.simulator.model.parameters import EPOCH, Parameters
from overround.simulator.server.faults import decompressed
from overround.simulator.server.oracle import Oracle, simulations_of
from overround.simulator.server.worlds import ModelWorld, Present
from overround.testing import ManualClock

CATALOGUE = load_catalogue()
BOOKMAKERS = load_bookmakers()
SLUGS = tuple(BOOKMAKERS)


class DirectFetcher:
    """Implements the `Fetcher` port on the server's side itself."""

    def __init__(self, server: SimulatedBookmaker) -> None:
        self._server = server

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask the server."""
        del subject, refusal
        return self._asked("GET", path, params or {}, b"")

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Send the server a body."""
        del subject, refusal
        return self._asked("POST", path, params or {}, msgspec.json.encode(json))

    def _asked(self, method: str, path: str, params: Mapping[str, str], body: bytes) -> Response:
        answer = self._server.answer(method, path, params, body)
        assert answer.status in (200, 404), answer
        return Response(body=decompressed(answer), received_at=EPOCH, duration_ms=1)


class Market(msgspec.Struct):
    """A model, its oracle, and for each bookmaker a client and a normaliser on the same present."""

    model: Model
    oracle: Oracle
    present: Present
    clients: Mapping[str, BookmakerClient]
    normalisers: Mapping[str, Normaliser]

    async def listings(self, slug: str) -> list[Listing]:
        """Return what discovery finds; nothing may fail or be dropped."""
        answers = [answer async for answer in self.clients[slug].discover(self.model.parameters.sports)]
        assert all(isinstance(answer, LeagueListings) and not answer.dropped for answer in answers)
        return [listing for answer in answers if isinstance(answer, LeagueListings) for listing in answer.listings]

    async def body(self, slug: str, listing: Listing) -> bytes:
        """Return an event's body."""
        return (await self.clients[slug].fetch_event(listing)).body

    async def offer(self, slug: str, listing: Listing) -> Offer:
        """Return an event's body, normalised."""
        body = await self.body(slug, listing)
        return self.normalisers[slug].normalise(body, self.model.instant(self.present.tick))


@cache
def simulations() -> Mapping[str, Simulation]:
    """Return the simulator's side of all bookmakers."""
    return simulations_of(BOOKMAKERS, CATALOGUE)


def shared_model(seed: int, events: int, size: Size = Size.AUDIT, sports: tuple[str, ...] = ("football",)) -> Model:
    """Return a model that several tests share: what it keeps changes no answer."""
    return _model(Parameters(seed=seed, events=events, size=size, sports=sports))


@cache
def _model(parameters: Parameters) -> Model:
    return Model(parameters, CATALOGUE, simulations())


@cache
def shared_oracle(model: Model) -> Oracle:
    """Return a model's oracle that several tests share: an event's prices are worked out once for each tick."""
    return Oracle(model)


def market(model: Model, slugs: Sequence[str] = SLUGS) -> Market:
    """Return a market at tick 0 on a model."""
    present = Present()
    clock = ManualClock(model.instant(0))
    clients = {}
    for slug in slugs:
        bookmaker = BOOKMAKERS[slug]
        server = simulations()[slug].server(ModelWorld(model, slug, present))
        clients[slug] = bookmaker.client(DirectFetcher(server), bookmaker.defaults, clock)
    normalisers = {slug: BOOKMAKERS[slug].normaliser(CATALOGUE) for slug in slugs}
    return Market(model, shared_oracle(model), present, clients, normalisers)
