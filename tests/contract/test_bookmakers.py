"""What every registered bookmaker must do, shown on its own recordings over a real connection."""

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from overround.bookmakers.registry import load_bookmakers, merged_options
from overround.catalogue import Catalogue, load_catalogue
from overround.errors import ErrorClass, FetchError, GoneError
from overround.fetching.http import HttpFetcher, RetryPolicy, open_session
from overround.ports import Bookmaker, BookmakerClient, Recording, SimulatedAnswer, SimulatedBookmaker
from overround.records.event import DiscoveryFailure, LeagueListings, Listing
from overround.settings import BookmakerSettings
from overround.simulator.server.captures import default_recordings_dir, load_recordings
from overround.simulator.server.loopback import build_app, listening
from overround.testing import ManualClock

TOY = Path(__file__).parent.parent / "toy"
SPORTS = tuple(sorted({definition.sport for definition in load_catalogue()}))
# The toy is found through its distribution on the path alone; nothing in the product knows it.
SLUGS = (*load_bookmakers(), "toy")
Answer = LeagueListings | DiscoveryFailure
Fault = Callable[[int], SimulatedAnswer | None]


class Faulty:
    """The server's side of a bookmaker, with faults by the number of the request, from 1."""

    def __init__(self, simulated: SimulatedBookmaker) -> None:
        self._simulated = simulated
        self.requests = 0
        self.fault: Fault = lambda _: None

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer with the fault, if there is one."""
        self.requests += 1
        return self.fault(self.requests) or self._simulated.answer(method, path, query, body)


class Bench(msgspec.Struct):
    """A bookmaker, its recordings, its server's side, and a client that is connected to that."""

    bookmaker: Bookmaker
    recordings: tuple[Recording, ...]
    simulated: Faulty
    client: BookmakerClient
    clock: ManualClock

    async def discover(self, *sports: str) -> list[Answer]:
        """Return all that discovery yields."""
        return [answer async for answer in self.client.discover(sports or SPORTS)]

    async def listings(self, *sports: str) -> list[Listing]:
        """Return the listings of a discovery in which nothing fails or is dropped, by their ids."""
        answers = await self.discover(*sports)
        whole = [answer for answer in answers if isinstance(answer, LeagueListings) and not answer.dropped]
        assert len(whole) == len(answers)
        return _by_id(listing for answer in whole for listing in answer.listings)

    def recorded(self, sport: str) -> list[Recording]:
        """Return the recordings of a sport."""
        return [recording for recording in self.recordings if recording.listing.sport == sport]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the catalogue."""
    return load_catalogue()


@pytest.fixture
def bookmakers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Bookmaker]]:
    """Return all installed bookmakers, with the toy's distribution on the path."""
    monkeypatch.syspath_prepend(str(TOY))
    yield load_bookmakers()
    sys.modules.pop("toy_bookmaker", None)


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """Open a session."""
    async with open_session("overround-test/1") as opened:
        yield opened


@pytest.fixture(params=SLUGS)
async def bench(
    request: pytest.FixtureRequest, bookmakers: dict[str, Bookmaker], session: ClientSession
) -> AsyncIterator[Bench]:
    """Serve one bookmaker's recordings, and connect its client."""
    slug = request.param
    bookmaker = bookmakers[slug]
    directory = TOY / "recordings" if slug == "toy" else default_recordings_dir()
    recordings = load_recordings(directory, {slug: bookmaker}).recordings[slug]
    simulated = Faulty(bookmaker.replay(recordings))
    clock = ManualClock(min(recording.listing.kickoff for recording in recordings).replace(hour=0))
    async with listening(build_app({slug: simulated}), 0) as port:
        options = merged_options(bookmaker, BookmakerSettings(base_url=f"http://127.0.0.1:{port}/{slug}"))
        fetcher = HttpFetcher(
            slug, options=options, session=session, clock=clock, retry=RetryPolicy(attempts=1), max_bytes=1_000_000
        )
        yield Bench(bookmaker, recordings, simulated, bookmaker.client(fetcher, options, clock), clock)


def test_all_are_found_and_numbered_once(bookmakers: dict[str, Bookmaker]) -> None:
    """The bookmakers are those that ship and the toy, in the order of their numbers, which differ."""
    assert tuple(bookmakers) == SLUGS
    numbers = [bookmaker.number for bookmaker in bookmakers.values()]
    assert numbers == sorted(set(numbers))


async def test_plug_in_is_described(bench: Bench) -> None:
    """Slug, name and defaults are what settings and pages need."""
    assert re.fullmatch("[a-z][a-z0-9]*", bench.bookmaker.slug)
    assert bench.bookmaker.name
    assert bench.bookmaker.defaults.base_url.startswith("https://")
    assert bench.bookmaker.defaults.enabled


async def test_discovery_finds_every_recorded_listing(bench: Bench) -> None:
    """Discovery yields each recorded event once, with every field as the event's own body states it."""
    assert await bench.listings() == _by_id(recording.listing for recording in bench.recordings)


async def test_discovery_keeps_to_the_sports(bench: Bench) -> None:
    """Sports that are not asked for, or that the bookmaker does not have, yield nothing."""
    assert await bench.discover("curling") == []


@pytest.mark.parametrize("sport", SPORTS)
async def test_every_mapped_sport_is_recorded_and_discovered(bench: Bench, catalogue: Catalogue, sport: str) -> None:
    """A sport has recordings where the bookmaker maps it, and only there; asked for it, discovery yields just those."""
    mapped = {catalogue.market(market).sport for market in bench.bookmaker.normaliser(catalogue).covered}
    recorded = bench.recorded(sport)
    assert bool(recorded) == (sport in mapped)
    assert await bench.listings(sport) == _by_id(recording.listing for recording in recorded)


@pytest.mark.parametrize("sport", SPORTS)
async def test_event_is_fetched_byte_for_byte_and_normalised(bench: Bench, catalogue: Catalogue, sport: str) -> None:
    """Fetching a discovered listing gives the recorded bytes, which normalise to the sport's markets, complete."""
    normaliser = bench.bookmaker.normaliser(catalogue)
    main_market = next(definition.key for definition in catalogue if definition.sport == sport)
    recorded = {recording.listing.listing_id: recording.body for recording in bench.recorded(sport)}
    for listing in await bench.listings(sport):
        response = await bench.client.fetch_event(listing)
        offer = normaliser.normalise(response.body, response.received_at)
        assert response.body == recorded.pop(listing.listing_id)
        assert offer.listing == listing
        assert offer.complete
        markets = {key.market for key in offer.markets}
        assert markets <= normaliser.covered
        assert {catalogue.market(market).sport for market in markets} == {sport}
        assert main_market in markets
        assert not offer.dropped
    assert not recorded


def _by_id(listings: Iterable[Listing]) -> list[Listing]:
    return sorted(listings, key=lambda listing: listing.listing_id)


async def test_nothing_is_complete_after_kickoff(bench: Bench, catalogue: Catalogue) -> None:
    """The same body, received after kick-off, is no evidence of what is gone."""
    normaliser = bench.bookmaker.normaliser(catalogue)
    for recording in bench.recordings:
        assert not normaliser.normalise(recording.body, recording.listing.kickoff).complete


async def test_unknown_event_is_gone(bench: Bench, catalogue: Catalogue) -> None:
    """An event that the bookmaker does not know is gone, whether the client or the normaliser sees it."""
    unknown = msgspec.structs.replace(bench.recordings[0].listing, listing_id="987654321")
    with pytest.raises(GoneError) as caught:
        await _offer(bench, catalogue, unknown.listing_id)
    assert caught.value.bookmaker == bench.bookmaker.slug


async def _offer(bench: Bench, catalogue: Catalogue, listing_id: str) -> object:
    listing = msgspec.structs.replace(bench.recordings[0].listing, listing_id=listing_id)
    response = await bench.client.fetch_event(listing)
    return bench.bookmaker.normaliser(catalogue).normalise(response.body, response.received_at)


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (SimulatedAnswer(status=500, body=b"{}"), ErrorClass.TRANSIENT),
        (SimulatedAnswer(status=429, body=b"{}"), ErrorClass.THROTTLED),
        (SimulatedAnswer(status=200, body=b"<html>", content_type="text/html"), ErrorClass.BLOCKED),
        (SimulatedAnswer(status=200, body=b'{"unexpected":true}'), ErrorClass.MALFORMED),
        (SimulatedAnswer(status=200, body=b'{"unexpec'), ErrorClass.MALFORMED),
    ],
    ids=["500", "429", "html", "other shape", "cut off"],
)
async def test_failing_league_leaves_the_others(bench: Bench, fault: SimulatedAnswer, error_class: ErrorClass) -> None:
    """One league's failure is reported by league and class, and all other leagues are as they were."""
    whole = {answer.league: answer for answer in await bench.discover()}
    first = bench.simulated.requests + 1
    bench.simulated.fault = lambda number: fault if number == first + 1 else None  # the first asks for the leagues
    answers = {answer.league: answer for answer in await bench.discover()}
    assert answers.keys() == whole.keys()
    failed = [answer for answer in answers.values() if isinstance(answer, DiscoveryFailure)]
    assert [failure.error_class for failure in failed] == [error_class]
    assert failed[0].bookmaker == bench.bookmaker.slug
    assert failed[0].message
    assert len(whole) > 1
    assert all(answers[league] == whole[league] for league in whole if league != failed[0].league)


async def test_an_empty_object_lists_nothing(bench: Bench) -> None:
    """It is a failure, or a sport without leagues where the format leaves out what is empty; never a listing."""
    bench.simulated.fault = lambda _: SimulatedAnswer(status=200, body=b"{}")
    answers = await bench.discover("football")
    assert all(isinstance(answer, DiscoveryFailure) for answer in answers)


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"unexpected":[]}', b"[", b"null"])
@pytest.mark.parametrize("sport", SPORTS)
async def test_failing_discovery_is_reported(bench: Bench, sport: str, body: bytes) -> None:
    """Where the leagues themselves cannot be had, that is one failure for each sport or one for all, never silence."""
    bench.simulated.fault = lambda _: SimulatedAnswer(status=200, body=body)
    answers = await bench.discover(sport)
    assert answers
    assert all(isinstance(answer, DiscoveryFailure) for answer in answers)


async def test_discovery_can_be_left_early(bench: Bench) -> None:
    """Closing discovery after its first answer ends the requests that are under way."""
    answers = bench.client.discover(SPORTS)
    first = await anext(answers)
    assert isinstance(first, LeagueListings)
    aclose = getattr(answers, "aclose", None)
    assert aclose is not None
    await aclose()
    assert len(await bench.discover()) > 1


async def test_replay_serves_nothing_else(bench: Bench) -> None:
    """Paths that are not part of the recorded API are not found."""
    replay = bench.bookmaker.replay(bench.recordings)
    for method, path in (("GET", "/"), ("GET", "/api"), ("POST", "/login"), ("GET", "/api/sportsbook/v4/sports")):
        assert replay.answer(method, path, {}, b"").status == 404


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"a"', b"\xff\xfe", b"null"])
async def test_normaliser_refuses_in_our_classes(bench: Bench, catalogue: Catalogue, body: bytes) -> None:
    """What is no single-event body raises a classified error, and nothing else."""
    with pytest.raises(FetchError):
        bench.bookmaker.normaliser(catalogue).normalise(body, bench.clock.now())
