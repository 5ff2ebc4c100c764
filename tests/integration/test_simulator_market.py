"""The simulator on the market model, over real sockets: its control requests, its faults, and one tick an answer."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from overround.bookmakers.registry import merged_options
from overround.errors import (
    BlockedError,
    FetchError,
    MalformedError,
    OverroundError,
    ThrottledError,
    TransientFetchError,
)
from overround.fetching.http import HttpFetcher, RetryPolicy, open_session
from overround.ports import BookmakerClient
from overround.records.event import DiscoveryFailure, LeagueListings, Listing
from overround.settings import BookmakerSettings
from overround.simulator.model.parameters import Parameters
from overround.simulator.server.arguments import Options
from overround.simulator.server.child import SimulatorHandle, running_simulator
from overround.simulator.server.faults import Fault, FaultName
from overround.simulator.server.oracle import Oracle
from overround.testing import ManualClock
from tests.support.simulated import BOOKMAKERS, CATALOGUE, SLUGS, shared_model

PARAMETERS = Parameters(seed=1, events=24)
ORACLE = Oracle(shared_model(1, 24))


class Desk(msgspec.Struct):
    """A running simulator and the clients that ask it."""

    simulator: SimulatorHandle
    session: ClientSession

    def client(self, slug: str, limit: float = 20.0) -> BookmakerClient:
        """Return a bookmaker's client that asks once."""
        settings = BookmakerSettings(base_url=self.simulator.base_url(slug), min_interval_ms=0, timeout=limit)
        options = merged_options(BOOKMAKERS[slug], settings)
        clock = ManualClock(PARAMETERS.epoch)
        fetcher = HttpFetcher(
            slug,
            options=options,
            session=self.session,
            clock=clock,
            retry=RetryPolicy(attempts=1),
            max_bytes=5_000_000,
        )
        return BOOKMAKERS[slug].client(fetcher, options, clock)

    async def discovered(self, slug: str) -> tuple[list[Listing], list[DiscoveryFailure]]:
        """Return what discovery finds, and what fails."""
        answers = [answer async for answer in self.client(slug).discover(("football",))]
        found = [one for answer in answers if isinstance(answer, LeagueListings) for one in answer.listings]
        return found, [answer for answer in answers if isinstance(answer, DiscoveryFailure)]

    async def outcomes(self, slug: str, limit: float = 20.0) -> list[type[FetchError] | None]:
        """Fetch and normalise every listed event, and return the class of each error, None where there is none."""
        client, normaliser = self.client(slug, limit), BOOKMAKERS[slug].normaliser(CATALOGUE)

        async def outcome(listing: Listing) -> type[FetchError] | None:
            try:
                response = await client.fetch_event(listing)
                offer = normaliser.normalise(response.body, PARAMETERS.epoch)
            except FetchError as error:
                return type(error)
            state = ORACLE.state(slug, listing.listing_id, await self.simulator.tick())
            assert state is not None
            assert dict(offer.markets) == dict(state.markets)
            return None

        return await asyncio.gather(*(outcome(listing) for listing in ORACLE.listings(slug, 0)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    """Run one simulator for all tests of this module."""
    async with (
        running_simulator(options=Options(parameters=PARAMETERS)) as simulator,
        open_session("test/1") as session,
    ):
        yield Desk(simulator, session)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def sound(desk: Desk) -> None:
    """Start every test at tick 0 without faults."""
    await desk.simulator.set_faults()
    await desk.simulator.go_to(0)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_child_tells_what_it_simulates(desk: Desk) -> None:
    """The ready line has the parameters and the listings' counts; there are no recordings."""
    simulator = desk.simulator
    assert (simulator.seed, simulator.epoch, simulator.events) == (1, PARAMETERS.epoch, 24)
    assert dict(simulator.listings) == {slug: len(list(ORACLE.listings(slug, 0))) for slug in SLUGS}
    assert not simulator.recordings


@pytest.mark.parametrize("slug", SLUGS)
async def test_scrape_gives_what_the_oracle_says(desk: Desk, slug: str) -> None:
    """Discovery finds every listing, and every event's body normalises to the model's state, tick after tick."""
    for tick in (0, 1, 2):
        await desk.simulator.go_to(tick)
        found, failures = await desk.discovered(slug)
        assert not failures
        assert {one.listing_id: one for one in found} == {one.listing_id: one for one in ORACLE.listings(slug, tick)}
        assert set(await desk.outcomes(slug)) == {None}


async def test_tick_is_told_and_changed(desk: Desk) -> None:
    """The tick goes on, and to any place; what is not understood is refused."""
    assert await desk.simulator.advance() == 1
    assert await desk.simulator.advance(5) == 6
    assert await desk.simulator.go_to(3) == 3
    assert await desk.simulator.tick() == 3
    url = f"http://127.0.0.1:{desk.simulator.port}/_control"
    async with desk.session.put(f"{url}/tick", data=b'{"tick":"soon"}') as response:
        assert response.status == 400
    with pytest.raises(OverroundError, match="refuses /faults"):
        await desk.simulator._ask("PUT", "/faults", msgspec.defstruct("Odd", [("faults", str)])("nope"))


async def test_answers_are_of_one_tick(desk: Desk) -> None:
    """Bodies fetched while the tick advances are each wholly of one tick."""
    slug = "sportybet"
    client, normaliser = desk.client(slug), BOOKMAKERS[slug].normaliser(CATALOGUE)
    listings = list(ORACLE.listings(slug, 0))

    async def advance() -> None:
        for _ in range(10):
            await desk.simulator.advance()

    fetches = [client.fetch_event(listing) for listing in listings * 4]
    responses, _ = await asyncio.gather(asyncio.gather(*fetches), advance())
    for listing, response in zip(listings * 4, responses, strict=True):
        markets = dict(normaliser.normalise(response.body, PARAMETERS.epoch).markets)
        states = [ORACLE.state(slug, listing.listing_id, tick) for tick in range(11)]
        assert any(state is not None and markets == dict(state.markets) for state in states)


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        (FaultName.THROTTLED, {ThrottledError}),
        (FaultName.SERVER_ERRORS, {TransientFetchError}),
        (FaultName.TRUNCATED_JSON, {MalformedError}),
        (FaultName.HTML, {BlockedError}),
        (FaultName.EMPTY_202, {BlockedError}),
        (FaultName.WRONG_SCHEMA, {MalformedError}),
        (FaultName.GONE, {TransientFetchError}),
    ],
)
async def test_faults_fail_in_their_class_at_their_bookmaker_alone(
    desk: Desk, name: FaultName, errors: set[type[FetchError]]
) -> None:
    """Struck requests fail in the class of the fault, the others succeed, and so do all of other bookmakers."""
    await desk.simulator.set_faults(Fault(name=name, bookmakers=("betpawa",), share=0.5))
    outcomes = await desk.outcomes("betpawa")
    if name is not FaultName.THROTTLED:  # which holds whatever else was to be asked
        assert None in outcomes
    assert {outcome for outcome in outcomes if outcome} == errors
    assert set(await desk.outcomes("bet9ja")) == {None}


async def test_hanging_request_times_out(desk: Desk) -> None:
    """A request that hangs ends with the client's time limit."""
    await desk.simulator.set_faults(Fault(name=FaultName.HANGS, share=1.0))
    assert set(await desk.outcomes("sportybet", limit=0.5)) == {TransientFetchError}


async def test_slow_body_arrives_whole(desk: Desk) -> None:
    """A body that comes in pieces is the same body, later."""
    await desk.simulator.set_faults(Fault(name=FaultName.SLOW_BODIES, share=1.0))
    assert set(await desk.outcomes("sportybet")) == {None}
    assert set(await desk.outcomes("sportybet", limit=0.5)) == {TransientFetchError}


async def test_bookmaker_is_gone_for_some_ticks(desk: Desk) -> None:
    """A fault that was ordered for two ticks is over after them."""
    await desk.simulator.set_faults(Fault(name=FaultName.GONE, ticks=2))
    assert set(await desk.outcomes("betpawa")) == {TransientFetchError}
    await desk.simulator.advance(2)
    assert set(await desk.outcomes("betpawa")) == {None}


async def test_failing_league_costs_its_events_alone(desk: Desk) -> None:
    """Some leagues' calls fail and are named; the listings of the others are all there."""
    await desk.simulator.set_faults(Fault(name=FaultName.FAILING_LEAGUE, share=0.5))
    found, failures = await desk.discovered("sportybet")
    assert failures
    assert {failure.error_class for failure in failures} == {"transient"}
    failed = {failure.league for failure in failures}
    expected = [one for one in ORACLE.listings("sportybet", 0) if f"{one.country} / {one.tournament}" not in failed]
    assert {one.listing_id for one in found} == {one.listing_id for one in expected}


async def test_lists_can_be_wrong(desk: Desk) -> None:
    """Matches are listed twice, or under another's number, and their bodies say the same."""
    await desk.simulator.set_faults(
        Fault(name=FaultName.DUPLICATE_LISTINGS, bookmakers=("betpawa",), share=1.0),
        Fault(name=FaultName.WRONG_SR_ID, bookmakers=("bet9ja",), share=1.0),
    )
    doubled, _ = await desk.discovered("betpawa")
    assert len(doubled) == 2 * len(list(ORACLE.listings("betpawa", 0)))
    wrong, _ = await desk.discovered("bet9ja")
    right = {one.listing_id: one for one in ORACLE.listings("bet9ja", 0)}
    assert all(one.sr_id != right[one.listing_id].sr_id for one in wrong if one.sr_id)
    response = await desk.client("bet9ja").fetch_event(wrong[0])
    offer = BOOKMAKERS["bet9ja"].normaliser(CATALOGUE).normalise(response.body, PARAMETERS.epoch)
    assert offer.listing == wrong[0]
