"""A scripted attacker: whatever is tried is refused by name; nothing is told, nothing breaks."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.api.app import create_app
from overround.api.framework.openapi import operations
from overround.records.stored import Role
from overround.settings import SecuritySettings
from tests.integration.test_security import Keys, add_key
from tests.support.service import Api, running_api

LIMITS = SecuritySettings(require_key=True, max_body_bytes=10_000, refusals_per_minute=600, costly_per_minute=10**6)
DOCUMENT = create_app().openapi()
OPERATIONS = tuple((method, path, operation) for path, method, operation in operations(DOCUMENT))
UNRENDERED = {"", "application/problem+json", "application/json", "text/csv", "text/plain", "text/event-stream"}
TEXT_FILTERS = ("text", "sport", "country", "tournament")
GUARDED = tuple(
    (method, path) for method, path, _ in OPERATIONS if not path.startswith("/health") and "session" not in path
)
HOSTILE = (
    "' OR '1'='1",
    "'; DROP TABLE events; --",
    '"><script>alert(1)</script>',
    "{{7*7}}${7*7}",
    "../../../../etc/passwd",
    "a\r\nSet-Cookie: evil=1",
    "\x00\x1b[31m",
    "\ud7ff\uffff\U0010ffff",
    "9" * 400,
    "-1",
    "NaN",
    "1e999",
)
TRICKS = (
    "//api/events",
    "/./api/events",
    "/api/../api/events",
    "/api/%2e%2e/api/events",
    "/api%2fevents",
    "/API/events",
    "/api/events/",
    "/api/events;a=b",
    "/api/events%00",
    "/api/events%0d%0aX:y",
    "/health/live/../../api/events",
    "/health/live%2f..%2f..%2fapi/events",
    "/assets/../../../../../../etc/passwd",
    "/assets/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/assets/....//....//etc/passwd",
    "/events/1/../../api/events",
    "http://127.0.0.1/api/events",
    "/api/session/../events",
    "/api/docs",
    "/api/openapi.json",
    "/metrics",
)


@pytest.fixture
async def keys(engine: AsyncEngine) -> Keys:
    """Return a key that reads and one that operates."""
    return Keys(await add_key(engine, Role.READ), await add_key(engine, Role.OPERATE))


@pytest.fixture
async def api(database_url: str, tmp_path: Path, keys: Keys) -> AsyncIterator[Api]:
    """Yield a service with data that needs a key."""
    del keys
    async with running_api(database_url, tmp_path, security=LIMITS) as api:
        await api.cycle()
        yield api


@pytest.fixture
async def patient(database_url: str, tmp_path: Path, keys: Keys) -> AsyncIterator[Api]:
    """Yield a service with data that needs a key, and does not mind how often it is asked without one."""
    del keys
    limits = LIMITS.model_copy(update={"refusals_per_minute": 10**6})
    async with running_api(database_url, tmp_path, security=limits) as api:
        await api.cycle()
        yield api


def filled(path: str, value: str) -> str:
    """Return a path with all of its parameters set to one value."""
    while "{" in path:
        start, _, rest = path.partition("{")
        path = start + quote(value, safe="") + rest.partition("}")[2]
    return path


def hostile_bodies(schema: Any, value: str) -> Iterator[Any]:
    """Yield bodies that have one hostile text in each of their fields, and such a text in place of all."""
    fields = schema.get("properties", {})
    yield value
    yield dict.fromkeys(fields, value)
    yield {field: {value: value} for field in fields}
    yield {field: [value] for field in fields}
    yield {**dict.fromkeys(fields, value), value: value}


async def raw(api: Api, request: bytes) -> bytes:
    """Send bytes as they are, and return the answer's."""
    host, port = api.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


async def test_nothing_opens_without_a_key(patient: Api) -> None:
    """Every endpoint refuses no key, a wrong one, and a cookie that is none, with 401 and a challenge."""
    attempts: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "Bearer ork_00000000_" + "A" * 43},
        {"Authorization": "Bearer " + HOSTILE[0]},
        {"Cookie": "overround_session=" + "A" * 43},
    )
    for method, path in GUARDED:
        for headers in attempts:
            async with patient.session.request(method, filled(path, "1"), headers=headers) as response:
                assert response.status == 401, (method, path)
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert (await response.json())["code"] in {"key_required", "key_not_valid"}


async def test_a_reader_changes_nothing(api: Api, keys: Keys) -> None:
    """Every endpoint that changes something is 403 for a key that may read, before it looks at anything else."""
    for method, path in GUARDED:
        if method != "GET":
            async with api.session.request(method, filled(path, "1"), headers=keys.reader, data=b"{") as response:
                assert (response.status, (await response.json())["code"]) == (403, "operate_key_required")


async def test_ten_thousand_requests_get_nothing(api: Api) -> None:
    """A flood without a key is refused with 401, then 429 with the time to wait; a good key is still served."""
    answers: Counter[int] = Counter()

    async def flood() -> None:
        for _ in range(200):
            async with api.session.get("/api/events") as response:
                answers[response.status] += 1
                assert response.status == 401 or int(response.headers["Retry-After"]) >= 1

    await asyncio.gather(*(flood() for _ in range(50)))
    assert answers.keys() == {401, 429}
    assert answers.total() == 10_000
    assert answers[401] < 1000
    async with api.session.get("/health/live") as response:
        assert response.status == 200


async def test_costly_requests_are_limited(database_url: str, tmp_path: Path) -> None:
    """Where no key is needed, what costs is limited all the same, and what does not is served meanwhile."""
    async with running_api(database_url, tmp_path, security=SecuritySettings(costly_per_minute=60)) as api:
        statuses = []
        for _ in range(30):
            async with api.session.post("/api/scheduler/resume") as response:
                statuses.append(response.status)
        assert statuses[:10] == [200] * 10
        assert statuses[-1] == 429
        await api.get("/api/events")


async def test_large_bodies_are_refused_everywhere(api: Api, keys: Keys) -> None:
    """Whatever takes a body takes none that is too large."""
    for method, path, operation in OPERATIONS:
        if "requestBody" in operation:
            headers = {**keys.operator, "Content-Type": "application/json"}
            body = b'{"x": "' + b"x" * 20_000 + b'"}'
            async with api.session.request(method, filled(path, "1"), headers=headers, data=body) as response:
                assert response.status == 413


async def test_paths_are_taken_as_they_are(api: Api, keys: Keys) -> None:
    """No spelling of a path leads around the key or out of the page's files."""
    for path in TRICKS:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{{}}\r\n"
        stranger = await raw(api, request.format("").encode())
        assert stranger.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400", b"HTTP/1.1 404")), (path, stranger)
        assert b"root:" not in stranger
        assert b"sr_id" not in stranger
        known = await raw(api, request.format(f"Authorization: {keys.operator['Authorization']}\r\n").encode())
        assert not known.startswith(b"HTTP/1.1 5"), path
        assert b"root:" not in known


async def test_headers_are_not_carried_over(api: Api) -> None:
    """Nothing that a client sends in a header becomes a header of the answer, but for a harmless request id."""
    for value in (b"a\rSet-Cookie: evil=1", b"a\nSet-Cookie: evil=1", b"a\x00b", b"\xff\xfe", b"a b", b"x" * 5000):
        for header in (b"X-Request-ID", b"Origin", b"Authorization", b"Cookie", b"X-Forwarded-For", b"Accept"):
            request = b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s: %s\r\n\r\n"
            answer = await raw(api, request % (header, value))
            head = answer.partition(b"\r\n\r\n")[0]
            assert head.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400")), (header, value, head)
            assert b"evil" not in head
    twice = b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert (await raw(api, twice)).startswith((b"HTTP/1.1 401", b"HTTP/1.1 400"))


async def test_hostile_texts_are_only_texts(api: Api, keys: Keys) -> None:
    """SQL, HTML and worse in every path, parameter and body: refused or not found, never run, never sent as HTML."""
    for method, path, operation in OPERATIONS:
        for value in HOSTILE:
            for options in attacks(path, operation, value):
                async with api.session.request(method, **options, headers=keys.operator) as response:
                    assert response.status in {200, 202, 204, 400, 401, 404, 405, 409, 422}, (method, options)
                    assert response.headers.get("Content-Type", "").partition(";")[0] in UNRENDERED, (method, options)
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                    searched = any(f"/api/events?{name}=" in options["url"] for name in TEXT_FILTERS)
                    assert response.status == 422 or not searched or (await response.json())["total"] == 0
    assert (await api.session.get("/api/events", headers=keys.operator)).status == 200


def attacks(path: str, operation: dict[str, Any], value: str) -> Iterator[dict[str, Any]]:
    """Yield requests of an operation that have a hostile text in one place."""
    if "{" in path:
        yield {"url": filled(path, value)}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"] not in {"markets", "limit", "offset"}:
            yield {"url": f"{filled(path, '1')}?{parameter['name']}={quote(value, safe='', errors='ignore')}"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = DOCUMENT["components"]["schemas"].get(name, {})
        for body in hostile_bodies(schema, value):
            yield {"url": filled(path, "1"), "json": body}
