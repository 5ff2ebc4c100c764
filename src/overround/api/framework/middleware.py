"""What happens to every request, whatever route it finds: admission, size limits, headers, request ids.

Plain ASGI: what wraps requests and responses in objects would cost more than an answer from the cache.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

import structlog
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from overround.api.framework.problems import REQUEST_ID, BodyTooLargeError, problem
from overround.api.framework.security import COOKIE, SCOPE_KEY, Access, Guard, Refusal, Visit
from overround.clock import SystemClock

_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VISIT = "overround.visit"
_DIGITS = 20  # of an announced length: there is no use in reading more
_LONGEST_TARGET = 16 * 1024
_LARGEST_HEADERS = 32 * 1024
_TIMER = SystemClock()

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"private, no-cache"),
)

_log = structlog.get_logger(__name__)


class RequestContext:
    """Gives every request an id, which its log events and its response carry, and every response its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = scope[_VISIT] = visit_of(scope)
        request_id = visit.request_id if _OWN_ID.fullmatch(visit.request_id) else uuid7().hex
        scope[REQUEST_ID] = request_id
        began = _TIMER.monotonic()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), request_id)
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            if visit.changes:
                _note(scope, status, _TIMER.monotonic() - began)
            structlog.contextvars.reset_contextvars(**bound)


class Admission:
    """Serves what the application's guard admits; a body that is too large is not read to its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guard: Guard = scope["app"].state.guard
        visit: Visit = scope[_VISIT]
        admitted = _too_long(scope, visit) or guard.admit(visit)
        if isinstance(admitted, Access):
            scope[SCOPE_KEY] = admitted
            admitted = _too_large(visit, guard.max_body_bytes) or admitted
        if isinstance(admitted, Refusal):
            await refusal_response(admitted)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, guard.max_body_bytes), send)


def visit_of(scope: Scope) -> Visit:
    """Return what the guard needs to know of a request."""
    facts: dict[str, str] = {}
    hosts: tuple[str, ...] = ()
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"host":
            hosts = (*hosts, value.decode("latin-1"))
        elif name in _OF_INTEREST:
            facts[_OF_INTEREST[name]] = value.decode("latin-1")
    client, server = scope.get("client"), scope.get("server")
    return Visit(
        method=scope["method"],
        path=scope["path"],
        client=client[0] if client else "",
        reached_at=server[0] if server else "",
        hosts=hosts,
        session=_cookie(facts.pop("cookie", "")),
        headers_size=size,
        **facts,
    )


_OF_INTEREST: Mapping[bytes, str] = MappingProxyType(
    {
        b"origin": "origin",
        b"sec-fetch-site": "fetch_site",
        b"authorization": "authorization",
        b"cookie": "cookie",
        b"x-request-id": "request_id",
        b"content-length": "content_length",
    }
)


def _too_long(scope: Scope, visit: Visit) -> Refusal | None:
    """Refuse an address or headers of a length that no client of ours sends."""
    if len(visit.path) + len(scope["query_string"]) > _LONGEST_TARGET:
        detail = f"path and query are longer than {_LONGEST_TARGET} bytes"
        return Refusal(status=HTTPStatus.REQUEST_URI_TOO_LONG, code="uri_too_long", detail=detail)
    if visit.headers_size > _LARGEST_HEADERS:
        detail = f"the headers are larger than {_LARGEST_HEADERS} bytes"
        return Refusal(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, code="headers_too_large", detail=detail)
    return None


def refusal_response(refusal: Refusal) -> JSONResponse:
    """Return the answer to a request that is not served."""
    response = problem(refusal.status, refusal.code, refusal.detail)
    response.headers.update(refusal.headers)
    return response


def _too_large(visit: Visit, most: int) -> Refusal | None:
    if not visit.content_length.isdecimal() or int(visit.content_length[:_DIGITS]) <= most:
        return None
    detail = f"the body is larger than {most} bytes"
    return Refusal(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="body_too_large", detail=detail)


def _bounded(receive: Receive, most: int) -> Receive:
    """Return what reads the body up to a size: one that is sent in chunks announces none."""
    received = 0

    async def bounded_receive() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise BodyTooLargeError(most)
        return message

    return bounded_receive


def _completed(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    own = list(headers)
    present = {name.lower() for name, _ in own}
    own.extend(header for header in SECURITY_HEADERS if header[0] not in present)
    own.append((b"x-request-id", request_id.encode()))
    return own


def _cookie(header: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _note(scope: Scope, status: int, seconds: float) -> None:
    """Log what may have changed something, with whose key; of what was refused, others may be flooding us."""
    access: Access | None = scope.get(SCOPE_KEY)
    if access is None:
        return
    _log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        duration_ms=round(seconds * 1000, 1),
        key=access.key.id if access.key else None,
    )
