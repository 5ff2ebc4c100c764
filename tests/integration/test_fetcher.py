"""Fetching against real servers on the loopback address."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer, unused_port

from overround.bookmakers.fetcher import HttpFetcher, RetryPolicy, open_session
from overround.bookmakers.turns import Turns
from overround.errors import (
    BlockedError,
    FetchError,
    GoneError,
    MalformedError,
    SettingsError,
    ThrottledError,
    TransientFetchError,
)
from overround.ports import BookmakerOptions
from overround.testing import ManualClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
USER_AGENT = "overround-test/1 (desk@example.org)"
MAX_BYTES = 50_000
ONCE = RetryPolicy(attempts=1)


class Bookmaker:
    """A server that gives scripted answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[Handler] = []
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.base_url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer."""
        self.requests.append(request)
        self.bodies.append(await request.read())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    def will(self, *answers: web.Response | Handler) -> None:
        """Set the answers: responses to copy, or handlers."""
        self.answers = [_copies(answer) if isinstance(answer, web.Response) else answer for answer in answers]


def _copies(response: web.Response) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    return handler


def answer(body: bytes = b'{"a":1}', *, status: int = 200, **headers: str) -> web.Response:
    """Return a JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers={"content-type": "application/json", **named})


@pytest.fixture
async def bookmaker() -> AsyncIterator[Bookmaker]:
    """Run a scripted bookmaker."""
    scripted = Bookmaker()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.handle)
    async with TestServer(app) as server:
        scripted.base_url = str(server.make_url("/api"))
        yield scripted


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """Open a session with our User-Agent."""
    async with open_session(USER_AGENT) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock whose sleeps take no time."""
    return ManualClock()


Make = Callable[..., HttpFetcher]


@pytest.fixture
def make(bookmaker: Bookmaker, session: ClientSession, clock: ManualClock) -> Make:
    """Return a maker of fetchers for the scripted bookmaker."""

    def fetcher(retry: RetryPolicy = ONCE, clock: Any = clock, **options: Any) -> HttpFetcher:
        chosen = BookmakerOptions(**{"base_url": bookmaker.base_url, **options})
        return HttpFetcher("toto", options=chosen, session=session, clock=clock, retry=retry, max_bytes=MAX_BYTES)

    return fetcher


async def test_answer_is_stamped_when_whole(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """`received_at` is the clock's time after the body has arrived, and the duration runs from the request."""

    async def slow(_: web.Request) -> web.StreamResponse:
        clock.advance(0.25)
        return answer(b'{"odds":1}')

    bookmaker.will(slow)
    started = clock.now()
    response = await make().get("/event/7")
    assert response.body == b'{"odds":1}'
    assert response.received_at == started + timedelta(milliseconds=250)
    assert response.received_at.tzinfo is UTC
    assert response.duration_ms == 250


async def test_request_carries_address_headers_and_user_agent(bookmaker: Bookmaker, make: Make) -> None:
    """Paths and parameters come below the base address; the options' headers and our own User-Agent are sent."""
    bookmaker.will(answer())
    await make(headers={"x-brand": "toto"}).get("/event", params={"eventId": "sr:match:7", "q": '{"a":[1]}'})
    request = bookmaker.requests[0]
    assert request.path == "/api/event"
    assert dict(request.query) == {"eventId": "sr:match:7", "q": '{"a":[1]}'}
    assert request.headers["x-brand"] == "toto"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["accept"] == "application/json"


async def test_user_agent_can_be_replaced(bookmaker: Bookmaker, make: Make) -> None:
    """A bookmaker's own User-Agent header goes before the session's."""
    bookmaker.will(answer())
    await make(headers={"user-agent": "other/1"}).get("/")
    assert bookmaker.requests[0].headers.getall("user-agent") == ["other/1"]


async def test_post_sends_json(bookmaker: Bookmaker, make: Make) -> None:
    """A POST carries its body as JSON, and says so."""
    bookmaker.will(answer())
    await make().post("/pcEvents", json=[{"sportId": "sr:sport:1"}])
    assert bookmaker.requests[0].method == "POST"
    assert bookmaker.requests[0].content_type == "application/json"
    assert bookmaker.bodies == [b'[{"sportId":"sr:sport:1"}]']


async def test_requests_go_through_the_proxy(bookmaker: Bookmaker, make: Make) -> None:
    """With a proxy set, the request for another host arrives there."""
    bookmaker.will(answer())
    proxy = bookmaker.base_url.removesuffix("/api")
    await make(base_url="http://bookmaker.invalid", proxy=proxy).get("/event")
    assert bookmaker.requests[0].headers["host"] == "bookmaker.invalid"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (500, {}, TransientFetchError),
        (502, {}, TransientFetchError),
        (503, {}, TransientFetchError),
        (503, {"retry_after": "5"}, ThrottledError),
        (408, {}, TransientFetchError),
        (429, {}, ThrottledError),
        (429, {"retry_after": "5"}, ThrottledError),
        (404, {}, GoneError),
        (410, {}, GoneError),
        (401, {}, BlockedError),
        (403, {}, BlockedError),
        (451, {}, BlockedError),
        (400, {}, BlockedError),
    ],
)
async def test_status_decides_the_class(
    bookmaker: Bookmaker, make: Make, status: int, headers: dict[str, str], expected: type[FetchError]
) -> None:
    """Each failing status has its class, and the error names bookmaker, subject and status."""
    bookmaker.will(answer(b"{}", status=status, **headers))
    with pytest.raises(expected) as caught:
        await make().get("/event", subject="event 7")
    assert type(caught.value) is expected
    assert str(caught.value) == f"toto: event 7: status {status}"


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("text/html; charset=utf-8", b"<html>are you human?</html>"),
        ("application/json", b"<!doctype html><p>blocked"),
        ("application/x-protobuf;charset=UTF-8", b"\x0a\x05hello"),
        ("application/octet-stream", b'{"a":1}'),
        ("text/plain", b"Access denied"),
    ],
)
async def test_what_is_not_json_is_blocked(
    bookmaker: Bookmaker, make: Make, status: int, content_type: str, body: bytes
) -> None:
    """Empty, HTML and protobuf bodies are a refusal, whatever the status and the type claim."""
    bookmaker.will(web.Response(status=status, body=body, headers={"content-type": content_type}))
    with pytest.raises(BlockedError):
        await make().get("/event")


@pytest.mark.parametrize("content_type", ["application/json;charset=UTF-8", "application/problem+json", "text/plain"])
async def test_json_is_taken_under_its_usual_types(bookmaker: Bookmaker, make: Make, content_type: str) -> None:
    """JSON types with parameters, and plain text that begins like JSON, are answers."""
    bookmaker.will(web.Response(body=b'\xef\xbb\xbf [{"a":1}]', headers={"content-type": content_type}))
    assert (await make().get("/event")).body.endswith(b'[{"a":1}]')


async def test_connection_refused_is_transient(make: Make) -> None:
    """A bookmaker that does not listen failed for now."""
    with pytest.raises(TransientFetchError, match="toto: event 7: ClientConnectorError"):
        await make(base_url=f"http://127.0.0.1:{unused_port()}").get("/event", subject="event 7")


async def test_body_cut_off_is_transient(bookmaker: Bookmaker, make: Make) -> None:
    """A connection that ends before the body does failed for now."""

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "100"})
        await response.prepare(request)
        await response.write(b'{"a":')
        assert request.transport is not None
        request.transport.abort()
        return response

    bookmaker.will(cut)
    with pytest.raises(TransientFetchError):
        await make().get("/event")


async def test_silence_is_transient(bookmaker: Bookmaker, make: Make) -> None:
    """An answer that does not come within the time limit is a failure for now."""
    released = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return answer()

    bookmaker.will(silent)
    with pytest.raises(TransientFetchError, match=r"no whole answer within 0\.05 s"):
        await make(timeout=0.05).get("/event")
    released.set()


async def test_body_over_the_limit_is_malformed(bookmaker: Bookmaker, make: Make) -> None:
    """A body larger than the limit is not read to its end; one of just that size is taken."""
    bookmaker.will(answer(b"[" + b"1" * MAX_BYTES), answer(b"[" + b"1" * (MAX_BYTES - 1)))
    fetcher = make()
    with pytest.raises(MalformedError, match=f"larger than {MAX_BYTES} bytes"):
        await fetcher.get("/event")
    assert len((await fetcher.get("/event")).body) == MAX_BYTES


async def test_limit_holds_after_decompression(bookmaker: Bookmaker, make: Make) -> None:
    """A small compressed body that unpacks to more than the limit is refused; a smaller one is unpacked."""
    big, small = gzip.compress(b"[" + b"1" * 5_000_000), gzip.compress(b'{"a":1}')
    bookmaker.will(answer(big, content_encoding="gzip"), answer(small, content_encoding="gzip"))
    fetcher = make()
    with pytest.raises(MalformedError, match="larger than"):
        await fetcher.get("/event")
    assert (await fetcher.get("/event")).body == b'{"a":1}'


async def test_redirect_on_the_same_origin_is_followed(bookmaker: Bookmaker, make: Make) -> None:
    """A redirect that stays with the bookmaker leads to the answer."""
    bookmaker.will(answer(status=308, location="/api/v4/event"), answer(b'{"moved":1}'))
    assert (await make().get("/v3/event")).body == b'{"moved":1}'
    assert [request.path for request in bookmaker.requests] == ["/api/v3/event", "/api/v4/event"]


@pytest.mark.parametrize("location", ["http://elsewhere.invalid/", "https://127.0.0.1/", "http://[", "/api/again"])
async def test_other_redirects_are_blocked(bookmaker: Bookmaker, make: Make, location: str) -> None:
    """A redirect to another origin, to no address, or without end is not followed."""
    bookmaker.will(answer(status=302, location=location))
    with pytest.raises(BlockedError, match="redirect"):
        await make().get("/event")


async def test_transient_failures_are_retried_with_full_jitter(
    bookmaker: Bookmaker, make: Make, clock: ManualClock
) -> None:
    """After 5xx the request is made again, after waits drawn from zero to a doubling ceiling."""
    bookmaker.will(answer(status=500), answer(status=502), answer(status=500), answer(b'{"ok":1}'))
    policy = RetryPolicy(attempts=4, base=timedelta(seconds=1), cap=timedelta(seconds=3))
    response = await make(policy).get("/event")
    assert response.body == b'{"ok":1}'
    assert len(bookmaker.requests) == 4
    for waited, ceiling in zip(clock.slept, (1, 2, 3), strict=True):
        assert 0 <= waited <= ceiling


async def test_retries_end_with_the_last_failure(bookmaker: Bookmaker, make: Make) -> None:
    """When all attempts failed, the last failure is raised."""
    bookmaker.will(answer(status=500), answer(status=429))
    with pytest.raises(ThrottledError):
        await make(RetryPolicy(attempts=3)).get("/event")
    assert len(bookmaker.requests) == 3


@pytest.mark.parametrize(
    "final",
    [answer(status=403), answer(status=404), answer(b""), answer(b"[" + b"1" * MAX_BYTES)],
    ids=["forbidden", "gone", "empty", "too large"],
)
async def test_other_failures_are_not_retried(bookmaker: Bookmaker, make: Make, final: web.Response) -> None:
    """Blocked, gone and malformed mean the same the second time: one request is made."""
    bookmaker.will(final)
    with pytest.raises((BlockedError, GoneError, MalformedError)):
        await make(RetryPolicy(attempts=5)).get("/event")
    assert len(bookmaker.requests) == 1


@pytest.mark.parametrize("header", ["7", "Thu, 01 Jan 2026 00:00:07 GMT", "Thu, 01 Jan 2026 00:00:07 -0000"])
async def test_retry_after_is_obeyed(bookmaker: Bookmaker, make: Make, clock: ManualClock, header: str) -> None:
    """The next attempt comes exactly when the bookmaker says, in seconds or as a date."""
    bookmaker.will(answer(status=429, retry_after=header), answer())
    response = await make(RetryPolicy(attempts=2)).get("/event")
    assert clock.slept == [7.0]
    assert response.received_at == datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)


async def test_unreadable_retry_after_counts_as_none(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """A Retry-After that is neither seconds nor a date leaves the usual wait."""
    bookmaker.will(answer(status=429, retry_after="soon"), answer())
    await make(RetryPolicy(attempts=2, base=timedelta(seconds=1))).get("/event")
    assert 0 <= clock.slept[0] <= 1


async def test_retry_after_holds_for_the_whole_bookmaker(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """What one request was told, the next one obeys."""
    bookmaker.will(answer(status=429, retry_after="7"), answer())
    fetcher = make()
    with pytest.raises(ThrottledError):
        await fetcher.get("/event/1")
    await fetcher.get("/event/2")
    assert clock.slept == [7.0]


async def test_retry_after_beyond_the_cap_is_reported(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """Nobody waits longer than the cap; until the time has come, requests fail without being sent."""
    bookmaker.will(answer(status=429, retry_after="120"), answer())
    fetcher = make(RetryPolicy(attempts=3, cap=timedelta(seconds=10)))
    with pytest.raises(ThrottledError) as caught:
        await fetcher.get("/event/1")
    assert caught.value.retry_after == 120
    with pytest.raises(ThrottledError, match="told to wait 120 s"):
        await fetcher.get("/event/2")
    assert len(bookmaker.requests) == 1
    clock.advance(120)
    await fetcher.get("/event/3")
    assert len(bookmaker.requests) == 2


async def test_no_more_requests_at_once_than_allowed(bookmaker: Bookmaker, make: Make) -> None:
    """All places are used, and never one more."""
    barrier = asyncio.Barrier(3)
    flying, peak = 0, 0

    async def count(_: web.Request) -> web.StreamResponse:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        await barrier.wait()
        flying -= 1
        return answer()

    bookmaker.will(count)
    fetcher = make(concurrency=3)
    await asyncio.gather(*(fetcher.get(f"/event/{number}") for number in range(9)))
    assert peak == 3


async def test_requests_start_apart(clock: ManualClock) -> None:
    """Starts are spaced by the interval, also where places are free."""
    turns = Turns("toto", BookmakerOptions(base_url="", concurrency=10, min_interval_ms=25), clock, longest_hold=10)
    starts: list[float] = []

    async def start() -> None:
        async with turns.take("event"):
            starts.append(clock.monotonic())

    await asyncio.gather(*(start() for _ in range(6)))
    assert starts == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.125])


class GatedClock(ManualClock):
    """A clock whose sleeps end when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.sleeping = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for the gate."""
        del seconds
        self.sleeping.set()
        await self.gate.wait()


async def test_waiting_for_a_retry_leaves_the_place(bookmaker: Bookmaker, make: Make) -> None:
    """While one request waits for its next attempt, another one uses the only place."""
    clock = GatedClock()
    bookmaker.will(answer(status=500), answer(b'{"second":1}'), answer(b'{"first":1}'))
    fetcher = make(RetryPolicy(attempts=2), clock=clock, concurrency=1)
    first = asyncio.create_task(fetcher.get("/first"))
    await clock.sleeping.wait()
    assert (await fetcher.get("/second")).body == b'{"second":1}'
    clock.gate.set()
    assert (await first).body == b'{"first":1}'


@pytest.mark.parametrize("attempts", [1, 3])
async def test_cancelling_frees_the_place(
    bookmaker: Bookmaker, make: Make, session: ClientSession, attempts: int
) -> None:
    """A request cancelled in flight is not retried, and leaves neither its place nor a connection behind."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await released.wait()
        return answer()

    bookmaker.will(wait, answer(b'{"next":1}'))
    fetcher = make(RetryPolicy(attempts=attempts), concurrency=1)
    request = asyncio.create_task(fetcher.get("/first"))
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert session.connector is not None
    assert not session.connector._acquired
    released.set()
    assert (await fetcher.get("/second")).body == b'{"next":1}'
    assert len(bookmaker.requests) == 2


async def test_cancelling_a_queued_request_keeps_the_others(bookmaker: Bookmaker, make: Make) -> None:
    """A request cancelled while it waits for a place takes nothing with it."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await released.wait()
        return answer()

    bookmaker.will(wait)
    fetcher = make(concurrency=1)
    first, queued, last = (asyncio.create_task(fetcher.get(f"/{name}")) for name in ("first", "queued", "last"))
    await arrived.wait()
    queued.cancel()
    released.set()
    await asyncio.gather(first, last)
    assert queued.cancelled()
    assert sorted(request.path for request in bookmaker.requests) == ["/api/first", "/api/last"]


@pytest.mark.parametrize("base_url", ["", "www.betpawa.ng", "/api", "ftp://host/"])
async def test_base_address_must_be_absolute(make: Make, base_url: str) -> None:
    """A base address without scheme and host is refused at once, by the bookmaker's name."""
    with pytest.raises(SettingsError, match="toto: base_url"):
        make(base_url=base_url)
