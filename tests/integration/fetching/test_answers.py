"""Fetching against a real server: what is sent, and what each answer means."""

import asyncio
import gzip
from datetime import UTC, timedelta
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from overround.errors import (
    BlockedError,
    FetchError,
    GoneError,
    MalformedError,
    RefusedError,
    SettingsError,
    ThrottledError,
    TransientFetchError,
)
from overround.fetching.circuit_breaker import BreakerState
from overround.fetching.http import RetryPolicy
from overround.fetching.known_bodies import body_digest
from overround.records.event import Offer
from overround.records.response import KnownBody
from overround.testing import ManualClock
from tests.integration.fetching.server import MAX_BYTES, USER_AGENT, Bookmaker, Handler, Make, answer
from tests.support.desk import listing, result_prices

zipped = partial(gzip.compress, mtime=0)  # the same bytes in each process, since they name tests


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
        ("application/octet-stream", b"\x00{}"),
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


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json;charset=UTF-8", "application/problem+json", "text/plain", "text/html; charset=utf-8"),
        *("application/octet-stream", "application/x-protobuf", "nonsense", ""),
    ],
)
async def test_the_bytes_say_that_a_body_is_json(bookmaker: Bookmaker, make: Make, content_type: str) -> None:
    """Whatever the type says, a body that begins as JSON does is an answer."""
    bookmaker.will(web.Response(body=b'\xef\xbb\xbf [{"a":1}]', headers={"content-type": content_type}))
    assert (await make().get("/event")).body.endswith(b'[{"a":1}]')


async def test_bytes_that_are_known_are_not_unpacked(bookmaker: Bookmaker, make: Make) -> None:
    """An answer whose bytes have been read before brings what they said, with the size of their body."""
    said = KnownBody(offer=Offer(listing=listing("toto", "7"), markets=result_prices(), complete=True), bytes=321)
    arrived = zipped(b'{"a":1}')
    for _ in range(2):
        bookmaker.will(web.Response(body=arrived, headers={"content-encoding": "gzip", "content-type": "text/json"}))
    new = await make(known=lambda _digest, _at: None).get("/event")
    assert (new.body, new.known, new.bytes) == (b'{"a":1}', None, 7)
    old = await make(known=lambda digest, _at: said if digest == body_digest(arrived) else None).get("/event")
    assert (old.body, old.known, old.bytes, old.digest) == (b"", said, 321, new.digest)


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


def unframed(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> Handler:
    """Return a handler whose answer ends where the connection does."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        head = b"\r\n".join((b"HTTP/1.1 " + status, b"Connection: close", *headers))
        request.transport.write(head + b"\r\n\r\n" + body)
        request.transport.close()
        return web.Response()

    return handler


@pytest.mark.parametrize("cut", [b"", b'{"a":[1,', b'{"a":{"b":1}', zipped(b'{"a":1}' * 50)[:-9]])
async def test_a_body_that_ends_with_its_connection_is_asked_for_again(
    bookmaker: Bookmaker, make: Make, cut: bytes
) -> None:
    """Without a length, only the bytes tell a whole answer from one that was cut."""
    bookmaker.will(unframed(cut), unframed(b'{"a":1}'))
    response = await make(RetryPolicy(attempts=2)).get("/event")
    assert response.body == b'{"a":1}'
    assert len(bookmaker.requests) == 2


async def test_a_whole_body_is_taken_whatever_its_length_says(bookmaker: Bookmaker, make: Make) -> None:
    """Some servers state the length before compression, and some a wrong one."""
    body = b'{"a":' + b"1" * 100 + b"}"
    for sent in (body, zipped(body)):
        bookmaker.will(unframed(sent, b"200 OK", b"Content-Length: 5000"))
        assert (await make().get("/event")).body == body


@pytest.mark.parametrize("size", [20_000, 60_000])
async def test_long_headers_are_read(bookmaker: Bookmaker, make: Make, size: int) -> None:
    """A content security policy of many kilobytes costs nothing; nor do a hundred cookies."""
    policy = "default-src " + "x" * size
    cookies = {f"x-{number}": "v" * 100 for number in range(200)}
    bookmaker.will(web.Response(body=b"{}", headers={"content-security-policy": policy, **cookies}))
    assert (await make().get("/event")).body == b"{}"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("utf-8", b"{}"), ("br", b"{}"), ("", zipped(b"{}")), ("utf-8", zipped(b"{}")), ("gzip", b"{}")],
)
async def test_the_bytes_say_how_a_body_is_packed(bookmaker: Bookmaker, make: Make, encoding: str, body: bytes) -> None:
    """A wrong or missing Content-Encoding costs nothing, and one request."""
    bookmaker.will(web.Response(body=body, headers={"content-encoding": encoding} if encoding else {}))
    assert (await make(RetryPolicy(attempts=3)).get("/event")).body == b"{}"
    assert len(bookmaker.requests) == 1


async def test_an_encoding_that_was_not_asked_for_is_malformed(bookmaker: Bookmaker, make: Make) -> None:
    """What cannot be unpacked is neither a block page nor asked for again."""
    bookmaker.will(web.Response(body=b"\x0b\x02\x80{}\x03", headers={"content-encoding": "br"}))
    with pytest.raises(MalformedError, match="content encoding 'br' was not asked for"):
        await make(RetryPolicy(attempts=3)).get("/event")
    assert len(bookmaker.requests) == 1


async def test_an_error_in_the_body_is_one_of_the_request(bookmaker: Bookmaker, make: Make) -> None:
    """It is asked for again where it is transient, and halves what is asked at once."""
    bookmaker.will(answer(b'{"busy":1}'), answer(b'{"busy":1}'), answer(b'{"a":1}'))

    def refusal(body: bytes) -> FetchError | None:
        return TransientFetchError("toto", "event", "busy", overloaded=True) if b"busy" in body else None

    fetcher = make(RetryPolicy(attempts=3), concurrency=8)
    assert (await fetcher.get("/event", refusal=refusal)).body == b'{"a":1}'
    assert fetcher.turns().allowed == 2
    assert fetcher.statistics.figures().errors == {"transient": 2}


async def test_refusals_in_bodies_open_the_breaker(bookmaker: Bookmaker, make: Make) -> None:
    """Twenty answers that refuse in their own words leave the bookmaker alone, as twenty 403s do."""
    bookmaker.will(answer(b'{"code":1}'))
    fetcher = make()
    for _ in range(20):
        with pytest.raises(RefusedError):
            await fetcher.post("/lists", json=[], refusal=lambda _: RefusedError("toto", "lists", "no"))
    assert fetcher.turns().breaker is BreakerState.OPEN


@pytest.mark.parametrize(("encoding", "arrives"), [("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-32", "utf-32")])
async def test_a_body_may_have_a_byte_order_mark(bookmaker: Bookmaker, make: Make, encoding: str, arrives: str) -> None:
    """Whatever the charset that a server forgot to state, the body is read; UTF-8 loses its mark where it arrives."""
    bookmaker.will(web.Response(body='{"a":1}'.encode(encoding)))
    assert (await make().get("/event")).body == '{"a":1}'.encode(arrives)


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
    big, small = zipped(b"[" + b"1" * 5_000_000), zipped(b'{"a":1}')
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


@pytest.mark.parametrize("base_url", ["", "www.betpawa.ng", "/api", "ftp://host/"])
async def test_base_address_must_be_absolute(make: Make, base_url: str) -> None:
    """A base address without scheme and host is refused at once, by the bookmaker's name."""
    with pytest.raises(SettingsError, match="toto: base_url"):
        make(base_url=base_url)
