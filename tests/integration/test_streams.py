"""The live stream over HTTP: a simulated market, a real service, clients that come and go."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohappyeyeballs import AddrInfoType

from benchmarks.stream_mirror import Mirror
from overround.cli.market import DemoMarket, MarketRequest, running_market
from overround.settings import BookmakerSettings, ScheduleSettings, ScrapingSettings, Settings
from overround.streaming import client as stream_client
from overround.wiring import Service, running_database, running_service
from tests.support.service import Api, serving

PATH = "/api/stream"
EVENTS = 12
TICKS_UNSEEN = 5


class Bench:
    """A service on a simulated market, and its API."""

    def __init__(self, api: Api, market: DemoMarket) -> None:
        self.api = api
        self.market = market

    async def cycle(self) -> None:
        """Go on by a tick, and scrape."""
        await self.market.next_cycle()
        await self.api.cycle()

    def expected(self) -> dict[tuple[int, str], dict[str, str]]:
        """Return the states of the cache's markets; all of them have been accepted."""
        found = {}
        for sr_id, slug, cached in self.api.service.context.cache:
            assert cached.accepted
            found[sr_id, slug] = {
                f"{key.market}:{key.specifiers}".removesuffix(":"): str(prices.state)
                for key, prices in cached.markets.items()
            }
        return found


def states(mirror: Mirror) -> dict[tuple[int, str], dict[str, str]]:
    """Return the states of a mirror's cells."""
    return {key: {name: cell["state"] for name, cell in book.items()} for key, book in mirror.prices().items()}


async def told_by_api(api: Api) -> dict[tuple[int, str], dict[str, object]]:
    """Return every bookmaker's cells as the API gives them event by event."""
    found: dict[tuple[int, str], dict[str, object]] = {}
    page = await api.get("/api/events?limit=500")
    for sr_id in [event["sr_id"] for event in page["events"]]:
        for market in (await api.get(f"/api/events/{sr_id}"))["markets"]:
            for slug, cell in market["bookmakers"].items():
                if not cell["state"].startswith("not_"):
                    found.setdefault((sr_id, slug), {})[market["key"]] = cell
    return found


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Yield a service that has run one cycle over a small simulated market."""
    async with running_bench(database_url, tmp_path) as bench:
        await bench.cycle()
        yield bench


@asynccontextmanager
async def running_bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Run a service on a small simulated market."""
    async with running_market(tmp_path, MarketRequest(events=EVENTS)) as market:
        settings = Settings(
            data_dir=tmp_path,
            database_url=database_url,
            bookmakers={
                slug: BookmakerSettings(base_url=market.simulator.base_url(slug)) for slug in market.simulator.listings
            },
            scraping=ScrapingSettings(horizon=None, retry_base=timedelta(milliseconds=1), sports=("football",)),
            schedule=ScheduleSettings(enabled=False),
        )

        @asynccontextmanager
        async def service() -> AsyncIterator[Service]:
            async with (
                running_database(settings) as database,
                running_service(settings, database, market.clock) as running,
            ):
                yield running

        async with serving(service) as api:
            yield Bench(api, market)


async def follow(api: Api, mirror: Mirror, until: str, query: str = "") -> None:
    """Follow the stream up to a message of a name."""
    async with connection(api, mirror, query) as response:
        while until not in [name for _, name in mirror.feed(await response.content.readany())]:
            pass
    mirror.disconnect()


async def come_and_go(api: Api, mirror: Mirror, seed: int) -> None:
    """Follow the stream for ever, and lose the connection after some bytes each time."""
    chance = random.Random(seed)  # noqa: S311 - where connections are cut
    while True:
        # Some are cut soon, in the middle of an image too, and others live for long.
        left = int(2 ** chance.uniform(10, 24))
        async with connection(api, mirror) as response:
            while left > 0:
                received = (await response.content.readany())[:left]
                left -= len(received)
                mirror.feed(received)
        mirror.disconnect()


@asynccontextmanager
async def connection(api: Api, mirror: Mirror, query: str = "") -> AsyncIterator[aiohttp.ClientResponse]:
    """Open a stream where the client goes on, as a browser does."""
    headers = {"Last-Event-ID": mirror.cursor} if mirror.cursor else {}
    async with api.session.get(PATH + query, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield response


async def catch_up(api: Api, mirror: Mirror) -> None:
    """Follow the stream until the client has everything that there is now."""
    head = str(api.service.stream.log.head)
    async with connection(api, mirror) as response:
        while mirror.cursor != head or not mirror.complete:
            mirror.feed(await response.content.readany())


async def test_the_stream_begins_with_an_image_and_goes_on_with_changes(bench: Bench) -> None:
    """Image and changes make what the API says of the events, cell by cell, and the history has them."""
    mirror = Mirror()
    await follow(bench.api, mirror, "image_end")
    assert mirror.prices() == await told_by_api(bench.api)
    await bench.cycle()
    await catch_up(bench.api, mirror)
    assert mirror.prices() == await told_by_api(bench.api)
    assert (mirror.counts["image"], mirror.counts["reset"]) == (len(mirror.events), 0)
    assert mirror.counts["delta"] > 0
    assert mirror.faults == []
    await is_in_history(bench.api, mirror.last["delta"])


async def is_in_history(api: Api, delta: dict[str, Any]) -> None:
    """Assert that a change which a client was told is in the database once the queue has drained."""
    key = next(key for key, cell in delta["markets"].items() if cell["changed_at"] == delta["received_at"])
    path = f"/api/events/{delta['sr_id']}/history?markets={key}&bookmakers={delta['bookmaker']}"
    points = [point for series in (await api.get(path))["series"] for point in series["points"]]
    assert delta["received_at"] in {point["at"] for point in points}


async def test_clients_that_come_back_at_random_under_load_end_equal_to_the_cache(bench: Bench) -> None:
    """Connections are lost at any byte while cycles run; nothing is lost, told twice, or taken back."""
    mirrors = [Mirror() for _ in range(4)]
    clients = [asyncio.create_task(come_and_go(bench.api, mirror, seed)) for seed, mirror in enumerate(mirrors)]
    for _ in range(3):
        await bench.cycle()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    for mirror in mirrors:
        mirror.disconnect()
        await catch_up(bench.api, mirror)
        assert mirror.faults == []
        assert states(mirror) == bench.expected()
        assert mirror.prices() == mirrors[0].prices()
        assert mirror.counts["delta"] > 0
    assert mirrors[0].prices() == await told_by_api(bench.api)


async def test_filters_over_http(bench: Bench) -> None:
    """Events and markets of the query are all that comes; nonsense is refused, and clients are counted."""
    sr_id = next(event.sr_id for event in bench.api.service.context.book.events())
    mirror = Mirror()
    await follow(bench.api, mirror, "image_end", f"?events={sr_id}&markets=match_result,total_goals:line=2.5")
    assert mirror.events.keys() == {sr_id}
    assert all(set(book) == {"match_result", "total_goals:line=2.5"} for book in mirror.books.values())
    async with bench.api.session.get(f"{PATH}?events=x") as response:
        assert (response.status, (await response.json())["code"]) == (422, "invalid_request")
    async with bench.api.session.get(f"{PATH}?cursor={'0' * 32}.1.1") as response:
        mirror.feed(await response.content.readuntil(b'"}\n\n'))
    assert mirror.last["reset"] == {"reason": "restarted"}
    await clients_are_counted(bench.api)


def narrow_socket(address: AddrInfoType) -> socket.socket:
    """Return a socket that takes in a few kilobytes until they are read."""
    narrow = socket.socket(address[0])
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return narrow


@asynccontextmanager
async def narrow_connection(api: Api) -> AsyncIterator[aiohttp.StreamReader]:
    """Open a stream of which this side takes in a few kilobytes until they are read."""
    connector = aiohttp.TCPConnector(socket_factory=narrow_socket)
    async with (
        aiohttp.ClientSession(api.address, connector=connector, read_bufsize=4096) as session,
        session.get(PATH) as response,
    ):
        yield response.content


async def test_a_client_that_stops_reading_is_conflated_and_ends_equal_to_the_cache(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not take waits in the service, not in the kernel: it gets the newest states, and is told so."""
    monkeypatch.setattr(stream_client, "BUFFER", 2**17)
    monkeypatch.setattr(stream_client, "_GRACE", 0.0)
    log, mirror = bench.api.service.stream.log, Mirror()
    async with narrow_connection(bench.api) as reader:
        while not mirror.complete:
            mirror.feed(await reader.readany())
        enough = log.total + 2**20
        while log.total < enough:
            for _ in range(TICKS_UNSEEN):
                await bench.market.next_cycle()
            await bench.cycle()
        while mirror.cursor != str(log.head):
            mirror.feed(await reader.readany())
    assert mirror.counts["conflated"] >= 1
    assert mirror.faults == []
    assert states(mirror) == bench.expected()
    assert mirror.prices() == await told_by_api(bench.api)


async def clients_are_counted(api: Api) -> None:
    """Assert that the number of clients rises and falls, in the status as in the metrics."""
    async with api.session.get(PATH) as response:
        await response.content.readany()
        streams = (await api.get("/api/status"))["streams"]
        assert (streams["clients"], streams["conflated"], streams["refused"]) == (1, 0, 0)
        assert streams["most"] > 0
        async with api.session.get("/metrics") as metrics:
            assert "overround_stream_clients 1.0" in await metrics.text()
    while (await api.get("/api/status"))["streams"]["clients"]:
        assert response.closed


async def test_a_run_is_followed_over_http(bench: Bench) -> None:
    """The sums before the end of a run are those of its summary, bookmaker by bookmaker."""
    async with bench.api.session.get("/api/scrape/progress") as response:
        assert response.content_type == "text/event-stream"
        received = await response.content.readany()
        await bench.cycle()
        while b"event: run_finished" not in received or not received.endswith(b"\n\n"):
            received += await response.content.readany()
    fields = [
        dict(line.split(": ", 1) for line in text.split("\n") if line) for text in received.decode().split("\n\n")
    ]
    messages = [(one["event"], json.loads(one["data"])) for one in fields if "event" in one]
    assert [messages[0][0], messages[1][0], messages[-1][0]] == ["run_started", "discovered", "run_finished"]
    run, sums = messages[-1][1]["run"], [data for name, data in messages if name == "progress"][-1]
    assert run["status"] == "completed"
    assert sums["done"] == sums["total"] == sum(messages[1][1]["targets"].values())
    for slug, counts in run["counts"].items():
        assert sums["bookmakers"][slug]["done"] == counts["changed"] + counts["confirmed"] + counts["incomplete"]
        assert sums["bookmakers"][slug]["p95_ms"] >= sums["bookmakers"][slug]["p50_ms"] > 0
