"""Connections that send nothing, half a head, or never read, at a server whose connections are bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from overround.api.framework.connections import PATIENCE, BoundedServer, ConnectionBook, mark_streamed
from overround.cli.web_server import listening
from overround.descriptors import DescriptorRoom
from overround.testing import ManualClock

MOST = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LARGE = 50_000_000  # bytes: more than any kernel keeps for a client

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _answer(_: Request) -> Response:
    return PlainTextResponse("here")


async def _large(_: Request) -> Response:
    return PlainTextResponse("x" * LARGE)


async def _body(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _stream(request: Request) -> Response:
    mark_streamed(request.scope)

    async def forever() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)  # a source that never waits would not notice that its client has gone
            yield b"x" * 100_000

    return StreamingResponse(forever())


def ended(reader: asyncio.StreamReader) -> bool:
    """Tell whether the server has closed or cut a connection."""
    return reader.at_eof() or reader.exception() is not None


async def a_moment() -> None:
    """Let others work for a moment."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)


class Site:
    """A bounded server; its clock stands still but for `advance`."""

    def __init__(self, port: int, clock: ManualClock, book: ConnectionBook) -> None:
        self.port = port
        self.clock = clock
        self.book = book
        self.writers: list[asyncio.StreamWriter] = []

    async def connected(self, first: bytes = b"") -> Pair:
        """Connect, send something, and wait until the server knows the connection."""
        known = self._known()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(first)
        await self.until(lambda: self._known() != known or ended(reader))
        return reader, writer

    def _known(self) -> tuple[int, int]:
        figures = self.book.figures()
        return figures.open, figures.refused

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the server work until that is so."""
        async with asyncio.timeout(20):
            while not holds():
                await a_moment()

    def later(self, seconds: float) -> None:
        """Let that much time pass, and silent connections be looked for."""
        self.clock.advance(seconds)
        self.book.close_silent()


@asynccontextmanager
async def _site() -> AsyncIterator[Site]:
    routes = [Route("/", _answer), Route("/large", _large), Route("/stream", _stream)]
    app = Starlette(routes=[*routes, Route("/body", _body, methods=["POST"])])
    clock = ManualClock()
    book = ConnectionBook(clock)
    book.swept = _not_swept  # type: ignore[method-assign]  # the clock's sleep takes no time: the test looks itself
    book.room = DescriptorRoom(soft=100, hard=100, reserved=50, fetches=10, connections=MOST, streams=2)
    server = BoundedServer(uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=3600), book)
    with listening("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(server._serve([listener]))
        site = Site(listener.getsockname()[1], clock, book)
        await site.until(lambda: server.started)
        try:
            yield site
        finally:
            server.should_exit = True
            for connection in tuple(server.server_state.connections):
                connection.transport.abort()
            await serving
            for writer in site.writers:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


@asynccontextmanager
async def _not_swept() -> AsyncIterator[None]:
    yield


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Yield a running server."""
    async with _site() as one:
        yield one


HALF_A_BODY = b"POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nx"


@pytest.mark.parametrize("first", [b"", REQUEST[:20], REQUEST, HALF_A_BODY])
async def test_silence_ends_a_connection(site: Site, first: bytes) -> None:
    """Without a request, with half a head, after an answer, in the middle of a body: closed after 15 s, not before."""
    reader, writer = await site.connected(first)
    if first == REQUEST:
        await reader.readuntil(b"here")
    await site.until(lambda: True)
    site.later(PATIENCE - 1)
    assert site.book.figures().open == 1
    site.later(1)
    await site.until(lambda: ended(reader))
    assert (site.book.figures().open, site.book.figures().timed_out) == (0, 1)
    writer.close()


async def test_bytes_of_a_head_are_no_answer_to_the_time_limit(site: Site) -> None:
    """A head that comes a byte at a time has 15 s in all; a body has them from each of its parts on."""
    reader, writer = await site.connected(REQUEST[:3])
    other, sender = await site.connected(b"POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\n")
    for position in range(3):
        site.clock.advance(PATIENCE / 2)
        writer.write(REQUEST[3 + position : 4 + position])
        sender.write(b"x")
        await asyncio.gather(writer.drain(), sender.drain())
        await site.until(lambda: len(site.book._silent) <= 2)
        await a_moment()
        site.book.close_silent()
    assert b"3" in await other.readuntil(b"\r\n\r\n3")
    await site.until(lambda: ended(reader))
    writer.close()
    sender.close()


async def test_a_client_that_does_not_read_is_cut_unless_it_follows_a_stream(site: Site) -> None:
    """An answer that is not taken ends after 15 s; a stream has limits of its own."""
    for path in b"/large", b"/stream":
        await site.connected(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n")
    await site.until(lambda: len(site.book._unread) == 2)
    site.later(PATIENCE)
    assert site.book.figures().open == 1
    assert site.book.figures().timed_out == 1


async def test_at_the_limit_the_longest_silence_makes_room(site: Site) -> None:
    """A newcomer is served in the place of the oldest silent connection, and that is counted and shown."""
    first, _ = await site.connected()
    others = [await site.connected() for _ in range(MOST - 1)]
    site.clock.advance(1)
    reader, _ = await site.connected(REQUEST)
    assert b"200" in await reader.readuntil(b"here")
    await site.until(lambda: ended(first))
    figures = site.book.figures()
    assert (figures.open, figures.most, figures.refused) == (MOST, MOST, 1)
    assert figures.crowded_at is not None
    assert not any(ended(other) for other, _ in others)


async def test_at_the_limit_of_busy_connections_newcomers_are_closed(site: Site) -> None:
    """Where every connection is in use, one more is accepted and closed; one that leaves makes room."""
    busy = [await site.connected(b"GET /stream HTTP/1.1\r\nHost: here\r\n\r\n") for _ in range(MOST)]
    await site.until(lambda: not site.book._silent)
    reader, _ = await site.connected(REQUEST)
    await site.until(lambda: ended(reader))
    assert site.book.figures().refused == 1
    busy[0][1].transport.abort()
    await site.until(lambda: site.book.figures().open == MOST - 1)
    reader, _ = await site.connected(REQUEST)
    assert b"200" in await reader.readuntil(b"here")


async def test_silent_connections_are_told_after_five_seconds(site: Site) -> None:
    """Those without any request count as silent; one that has been served does not."""
    await site.connected()
    await site.connected(REQUEST[:10])
    reader, _ = await site.connected(REQUEST)
    await reader.readuntil(b"here")
    assert site.book.figures().silent == 0
    site.later(5)
    assert site.book.figures().silent == 2


async def test_a_burst_of_connections_never_holds_more_than_the_limit(site: Site) -> None:
    """Two hundred at once: never more open than the limit allows, and the next request is served."""
    burst = await asyncio.gather(*[asyncio.open_connection("127.0.0.1", site.port) for _ in range(200)])
    site.writers += [writer for _, writer in burst]

    def made_room() -> bool:
        site.clock.advance(1)
        assert site.book.figures().open <= MOST
        return site.book.figures().refused >= 200 - MOST

    await site.until(made_room)
    site.clock.advance(1)
    reader, _ = await site.connected(REQUEST)
    assert b"200" in await reader.readuntil(b"here")
