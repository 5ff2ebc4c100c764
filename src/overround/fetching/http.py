"""HTTP for bookmakers: limits, size cap, classified failures, and retries that obey the bookmaker."""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import count
from types import SimpleNamespace

import msgspec
import stamina
import structlog
from aiohttp import (
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    TraceConfig,
    TraceRequestHeadersSentParams,
    hdrs,
)
from yarl import URL

from overround.errors import (
    BlockedError,
    FetchError,
    MalformedError,
    SettingsError,
    ThrottledError,
    TransientFetchError,
)
from overround.fetching.admission import Turns, TurnState
from overround.fetching.classify import check_body, check_status, is_json, retry_after_seconds
from overround.fetching.known_bodies import body_digest
from overround.fetching.statistics import FetchStatistics
from overround.fetching.unpacking import ENCODINGS, TooLargeError, unpacked
from overround.logs import without_secrets
from overround.ports import BookmakerOptions, Clock, Refusal
from overround.records.response import KnownBody, Response
from overround.texts import clean_json, repaired_json

_CHUNK_BYTES = 64 * 1024
_MAX_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_JSON_TYPE = "application/json"
_HEADER_BYTES = 64 * 1024  # of one line or field: content security policies of 20 kB are real
_HEADERS = 512
_CUT_OFF = "Input data was truncated"  # msgspec's words

_log = structlog.get_logger(__name__)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a request that failed for now is made, and how long to wait in between.

    The wait after attempt n is drawn from 0 to `base` * 2^(n - 1), at most `cap`. A bookmaker's own
    `Retry-After` is obeyed instead; beyond `cap` nobody waits for it, and the failure is reported.
    """

    attempts: int = 3
    base: timedelta = timedelta(milliseconds=200)
    cap: timedelta = timedelta(seconds=10)


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    url: URL
    subject: str
    body: bytes | None = None
    refusal: Refusal | None = None


class _Backoff:
    """Decides for one request whether to ask again, and after how long; a stamina back-off hook."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self.pending = 0.0  # seconds to wait before the next attempt

    def __call__(self, error: Exception) -> bool:
        if not isinstance(error, TransientFetchError | ThrottledError):
            return False
        cap = self._policy.cap.total_seconds()
        asked = error.retry_after if isinstance(error, ThrottledError) else None
        ceiling = min(cap, self._policy.base.total_seconds() * 2**self._failures)
        self._failures += 1
        # Not cryptography: the draw only spreads the retries of many requests.
        self.pending = random.uniform(0, ceiling) if asked is None else asked  # noqa: S311
        return self.pending <= cap


class _Attempt(msgspec.Struct):
    """An attempt at a request, and its number among all those of the session, once it has been sent."""

    number: int = 0


def _numbering() -> TraceConfig:
    """Return what numbers attempts when their first bytes go to the socket.

    A number taken earlier would not tell the order in which a bookmaker is asked: a request may wait for a connection.
    """
    numbers = count(1)

    async def sent(_: ClientSession, trace: SimpleNamespace, __: TraceRequestHeadersSentParams) -> None:
        attempt: _Attempt | None = trace.trace_request_ctx
        if attempt is not None:
            attempt.number = next(numbers)

    trace = TraceConfig()
    trace.on_request_headers_sent.append(sent)
    return trace


@asynccontextmanager
async def open_session(user_agent: str, *, connections: int = 200) -> AsyncIterator[ClientSession]:
    """Open the connection pool that all fetchers share.

    It keeps no cookies and reads no proxy from the environment. `connections` bounds the open
    connections over all bookmakers; below the sum of their concurrency limits, requests would wait
    for a connection within their time limit.
    """
    async with ClientSession(
        connector=TCPConnector(limit=connections),
        cookie_jar=DummyCookieJar(),
        headers={hdrs.USER_AGENT: user_agent, hdrs.ACCEPT: _JSON_TYPE, hdrs.ACCEPT_ENCODING: ENCODINGS},
        auto_decompress=False,  # it would unpack the bodies of all connections at once
        trace_configs=[_numbering()],
        trust_env=False,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
        max_headers=_HEADERS,
    ) as session:
        yield session


def _nothing_known(digest: bytes, at: datetime) -> KnownBody | None:
    del digest, at
    return None


class HttpFetcher:
    """Asks one bookmaker within its limits; implements the `Fetcher` port.

    Redirects are followed on the same origin only. Cancelling a request frees its place at once, and
    a request that waits for its next attempt has no place.
    """

    def __init__(
        self,
        slug: str,
        *,
        options: BookmakerOptions,
        session: ClientSession,
        clock: Clock,
        retry: RetryPolicy,
        max_bytes: int,
        known: Callable[[bytes, datetime], KnownBody | None] = _nothing_known,
    ) -> None:
        """Prepare the limits; `max_bytes` bounds a body, decompressed.

        `known` tells, by the hash of an answer's bytes as they arrived, what an equal one has said; such a
        body is not unpacked.

        Raises:
            SettingsError: the base address, or the proxy's, is not an absolute http(s) one.
        """
        self._slug = slug
        self._session = session
        self._clock = clock
        self._retry = retry
        self._max_bytes = max_bytes
        self._known = known
        self._base = _base_address(slug, options.base_url)
        self._headers = dict(options.headers)
        self._proxy = _proxy_address(slug, options.proxy)
        self._timeout = ClientTimeout(total=options.timeout)
        self._one_body = asyncio.Lock()
        self._turns = Turns(slug, options, clock, longest_hold=retry.cap.total_seconds())
        self._asking = True
        self.statistics = FetchStatistics(clock)

    def stop_asking(self) -> None:
        """Send nothing from now on, and receive the answers to what was sent; other requests end as cancelled."""
        self._asking = False

    def turns(self) -> TurnState:
        """Return how the bookmaker may be asked at present."""
        return self._turns.state()

    def set_limits(self, options: BookmakerOptions) -> None:
        """Go by other limits: concurrency, spacing, requests a minute; nothing else of the options is looked at."""
        self._turns.set_limits(options)

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask for a path below the base address, with retries; an error that the body states is one of the request.

        Raises:
            FetchError: its class says what the failure means.
        """
        url = self._url(path, params)
        return await self._fetch(_Request(method=hdrs.METH_GET, url=url, subject=subject or path, refusal=refusal))

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Send a JSON body to a path below the base address, with retries: a bookmaker's POST only reads.

        Raises:
            FetchError: its class says what the failure means.
        """
        url, body = self._url(path, params), msgspec.json.encode(json)
        return await self._fetch(
            _Request(method=hdrs.METH_POST, url=url, subject=subject or path, body=body, refusal=refusal)
        )

    def _url(self, path: str, params: Mapping[str, str] | None) -> URL:
        url = URL(f"{self._base}/{path.lstrip('/')}")
        return url.update_query(params) if params else url

    async def _fetch(self, request: _Request) -> Response:
        # A retry context leaves fifty objects in reference cycles behind, and for those of a cycle the collector
        # stopped everything for 200 ms at a time. Nearly every request is answered at once: it is for the others.
        backoff = _Backoff(self._retry)
        try:
            return await self._attempt(request)
        except FetchError as error:
            if self._retry.attempts == 1 or not backoff(error):
                raise
        # stamina counts and decides; the wait itself is the clock's, so stamina's own is none.
        attempts = stamina.retry_context(on=backoff, attempts=self._retry.attempts - 1, timeout=None, wait_max=0)
        async for attempt in attempts:
            with attempt:
                await self._clock.sleep(backoff.pending)
                return await self._attempt(request)
        raise AssertionError("a retry context ends with a return or an error")

    async def _attempt(self, request: _Request) -> Response:
        self._require_asking()
        try:
            async with self._turns.take(request.subject):
                self._require_asking()
                response = await self._sent(request)
        except FetchError as error:
            self.statistics.failed(error)
            _log.debug("fetch_attempt_failed", error_class=error.error_class.value, error=str(error))
            raise
        self.statistics.answered(response)
        return response

    def _require_asking(self) -> None:
        if not self._asking:
            raise asyncio.CancelledError

    async def _sent(self, request: _Request) -> Response:
        self.statistics.sent()
        try:
            return await self._exchange(request)
        except ThrottledError as error:
            self._turns.hold(error.retry_after)
            raise
        except TimeoutError as error:
            reason = f"no whole answer within {self._timeout.total:g} s"
            raise TransientFetchError(self._slug, request.subject, reason, timed_out=True) from error
        except (ClientError, OSError, zlib.error) as error:
            # Not as it comes: an error about a proxy names its address, password included.
            reason = without_secrets(f"{type(error).__name__}: {error}")
            raise TransientFetchError(self._slug, request.subject, reason) from error

    async def _exchange(self, request: _Request) -> Response:
        started = self._clock.monotonic()
        url, attempt = request.url, _Attempt()
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._session.request(
                request.method,
                url,
                data=request.body,
                headers=self._headers if request.body is None else {**self._headers, hdrs.CONTENT_TYPE: _JSON_TYPE},
                proxy=self._proxy,
                timeout=self._timeout,
                allow_redirects=False,
                trace_request_ctx=attempt,
            ) as response:
                if response.status not in _REDIRECTS:
                    received = await self._receive(request, response, started)
                    return msgspec.structs.replace(received, number=attempt.number)
                url = self._redirected(request, response)
        raise BlockedError(self._slug, request.subject, f"more than {_MAX_REDIRECTS} redirects")

    def _redirected(self, request: _Request, response: ClientResponse) -> URL:
        try:
            target = response.url.join(URL(response.headers.get(hdrs.LOCATION, "")))
            here, there = response.url.origin(), target.origin()
        except ValueError as error:
            raise BlockedError(self._slug, request.subject, "redirect to no valid address") from error
        if there != here:
            raise BlockedError(self._slug, request.subject, f"redirect to {there}")
        return target

    async def _receive(self, request: _Request, response: ClientResponse, started: float) -> Response:
        retry_after = retry_after_seconds(response.headers.get(hdrs.RETRY_AFTER), self._clock.now())
        check_status(self._slug, request.subject, response.status, retry_after)
        packed = await self._read(request, response)
        received_at = self._clock.now()
        duration_ms = round((self._clock.monotonic() - started) * 1000)
        async with self._one_body:
            digest = body_digest(packed)
            known = self._known(digest, received_at)
            body = self._body(request, response, packed) if known is None else b""
            await asyncio.sleep(0)  # the next body in another turn of the event loop: all at once, they keep it long
        return Response(body=body, received_at=received_at, duration_ms=duration_ms, digest=digest, known=known)

    async def _read(self, request: _Request, response: ClientResponse) -> bytes:
        received = bytearray()
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                received += chunk
                if len(received) > self._max_bytes:
                    response.close()  # the rest is not worth reading to keep the connection
                    raise self._too_large(request)
        except ClientPayloadError:
            # The length was wrong where the bytes are a whole answer, as of servers that count before they compress.
            if not self._is_whole(bytes(received)):
                raise
        return bytes(received)

    def _is_whole(self, packed: bytes) -> bool:
        try:
            body = unpacked(packed, "", self._max_bytes)
        except (TooLargeError, zlib.error):
            return False
        return is_json(body) and not _cut_off(body)

    def _body(self, request: _Request, response: ClientResponse, packed: bytes) -> bytes:
        encoding = response.headers.get(hdrs.CONTENT_ENCODING, "")
        try:
            body = unpacked(packed, encoding, self._max_bytes)
        except TooLargeError:
            raise self._too_large(request) from None
        if not body and response.status == HTTPStatus.OK and _ends_with_connection(response):
            raise TransientFetchError(self._slug, request.subject, "the connection ended before the body began")
        check_body(self._slug, request.subject, response.status, encoding, body)
        if _ends_with_connection(response) and _cut_off(body):
            raise TransientFetchError(self._slug, request.subject, "the connection ended before the body did")
        refusal = request.refusal(body) if request.refusal else None
        if refusal is not None:
            raise refusal
        cleaned = clean_json(body)
        if cleaned.replaced:
            self.statistics.replaced(cleaned.replaced)
        return cleaned.body

    def _too_large(self, request: _Request) -> MalformedError:
        return MalformedError(self._slug, request.subject, f"larger than {self._max_bytes} bytes")


def _ends_with_connection(response: ClientResponse) -> bool:
    """Tell whether nothing but the connection's end says that a body has ended."""
    chunked = "chunked" in response.headers.get(hdrs.TRANSFER_ENCODING, "").lower()
    return not chunked and hdrs.CONTENT_LENGTH not in response.headers


def _cut_off(body: bytes) -> bool:
    try:
        msgspec.json.decode(repaired_json(body), type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error) == _CUT_OFF
    return False


def _proxy_address(slug: str, proxy: str | None) -> str | None:
    # Not shown in any case: what is no address may be a password with something in front of it.
    if proxy is None or (proxy.startswith(("http://", "https://")) and URL(proxy).host):
        return proxy
    raise SettingsError(f"{slug}: the proxy is not an absolute http(s) address, such as http://user:password@host:3128")


def _base_address(slug: str, base_url: str) -> str:
    shown = without_secrets(base_url)
    try:
        origin = URL(base_url).origin()
    except ValueError as error:
        raise SettingsError(f"{slug}: base_url {shown!r} is not an absolute address: {error}") from error
    if origin.scheme not in ("http", "https"):
        raise SettingsError(f"{slug}: base_url {shown!r} is neither http nor https")
    return base_url.rstrip("/")
