"""What all clients share: who may follow for how long, what is counted, and when everybody begins anew."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks.stream_mirror import Mirror
from overround.api.state import ApiState
from overround.api.streams.desk import StreamDesk
from overround.catalogue import load_catalogue
from overround.errors import TooManyStreamsError
from overround.fetching.statistics import FetchStatistics
from overround.records.odds import MarketKey
from overround.streaming.messages import StreamFilter
from overround.streaming.progress import ProgressHub
from tests.support.stream_bench import COVERED, SLUGS, StreamBench

EVERYTHING = StreamFilter()


class Served:
    """A desk on a bench; `names` are the bookmakers that are shown."""

    def __init__(self) -> None:
        self.bench = StreamBench()
        self.bench.event(1)
        self.bench.scrape((1, "us", {MarketKey("match_result"): (2000, 3000, 4000)}))
        self.names = {"us": "Us"}
        self.warm, self.caught_up, self.stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()
        statistics = SimpleNamespace(statistics=FetchStatistics(self.bench.clock))
        state = SimpleNamespace(
            stream=self.bench.hub,
            descriptors=SimpleNamespace(streams=2),
            cache=self.bench.cache,
            catalogue=load_catalogue(),
            bookmakers=self.names,
            covered=dict.fromkeys(SLUGS, COVERED),
            reference="us",
            clock=self.bench.clock,
            fetchers=dict.fromkeys(SLUGS, statistics),
            progress=ProgressHub(),
            warm=self.warm,
            catch_up=SimpleNamespace(done=self.caught_up),
        )
        self.desk = StreamDesk(cast("ApiState", state), self.stopping)
        self.allowed = True

    async def read(self, mirror: Mirror, until: str) -> None:
        """Follow up to a message of a name, and leave."""
        messages = self.desk.messages(EVERYTHING, mirror.cursor, lambda: self.allowed)
        async for text in messages:
            if until in [name for _, name in mirror.feed(text)]:
                break
        await messages.aclose()  # type: ignore[attr-defined]  # it is a generator


@pytest.fixture
async def served() -> Served:
    """Return a desk."""
    return Served()


async def test_clients_and_what_they_were_sent_are_counted(served: Served) -> None:
    """A client counts while it is there, and its bytes for ever."""
    messages = served.desk.messages(EVERYTHING, "", lambda: True)
    first = [await anext(messages), await anext(messages)]
    assert served.desk.figures.clients == 1
    assert served.desk.figures.bytes == len(first[1])
    await messages.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert served.desk.figures.clients == 0


async def test_a_client_whose_key_was_revoked_is_sent_nothing_more(served: Served) -> None:
    """The stream ends the next time that it has something to send."""
    messages = served.desk.messages(EVERYTHING, "", lambda: served.allowed)
    await anext(messages)
    served.allowed = False
    assert [text async for text in messages] == []


async def test_waiting_clients_are_let_go_when_the_service_stops(served: Served) -> None:
    """A stop ends the streams of clients that have everything."""
    mirror = Mirror()
    async with served.desk.running():
        following = asyncio.create_task(served.read(mirror, "never"))
        while not mirror.counts["heartbeat"]:
            await served.bench.hub.log.moved.wait()
        served.stopping.set()
        await following


def test_there_are_no_more_clients_than_seats(served: Served) -> None:
    """One more than the seats is refused and counted; a client that leaves makes room."""
    seats = served.desk.seats
    with seats.one_taken(), seats.one_taken():
        with pytest.raises(TooManyStreamsError, match="2 streams"):
            seats.refuse_beyond_limit()
        assert (seats.taken, seats.refused) == (2, 1)
    seats.refuse_beyond_limit()
    assert seats.taken == 0


async def test_a_bookmaker_that_joins_gives_everybody_a_new_image(served: Served) -> None:
    """From then on images name it; who comes back begins with one."""
    mirror = Mirror()
    await served.read(mirror, "image_end")
    assert {slug for _, slug in mirror.books} == {"us"}
    served.names["them"] = "Them"
    await served.read(mirror, "image_end")
    assert mirror.last["reset"] == {"reason": "restarted"}
    assert {slug for _, slug in mirror.books} == {"us", "them"}


async def test_the_cache_is_taken_over_each_time_it_has_been_filled(served: Served) -> None:
    """What the journal and then the database bring into the cache reaches clients without a batch."""
    before = served.bench.hub.generation
    async with served.desk.running():
        await asyncio.sleep(0)
        assert served.bench.hub.generation == before
        for number, filled in enumerate((served.caught_up, served.warm), 1):
            filled.set()
            while served.bench.hub.generation < before + number:
                await served.bench.hub.log.moved.wait()
