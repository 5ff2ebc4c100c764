"""Access over HTTP: keys from the database, sessions, refusals, headers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from overround.access.tokens import mint_key
from overround.api.app import service_of
from overround.cli.main import app
from overround.clock import SystemClock
from overround.db.repositories import PostgresKeyRepository
from overround.errors import SettingsError
from overround.records.stored import ApiKey, Role
from overround.settings import SecuritySettings, Settings
from tests.support.service import Api, running_api


async def add_key(engine: AsyncEngine, role: Role) -> str:
    """Put a key into the database and return it."""
    minted = mint_key()
    key = ApiKey(id=minted.id, name=f"to {role}", role=role, digest=minted.digest, created_at=SystemClock().now())
    await PostgresKeyRepository(engine).add(key)
    return minted.token


class Keys:
    """The keys of a test's service."""

    def __init__(self, reader: str, operator: str) -> None:
        self.reader = {"Authorization": f"Bearer {reader}"}
        self.operator = {"Authorization": f"Bearer {operator}"}
        self.reader_key = reader


@pytest.fixture
async def keys(engine: AsyncEngine) -> Keys:
    """Return two keys that the database has."""
    return Keys(await add_key(engine, Role.READ), await add_key(engine, Role.OPERATE))


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path, keys: Keys) -> AsyncIterator[Api]:
    """Yield a client of a service that needs a key."""
    del keys
    async with running_api(database_url, tmp_path, security=SecuritySettings(require_key=True)) as api:
        yield api


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield a client of a service that is for this machine alone."""
    async with running_api(database_url, tmp_path, security=SecuritySettings(max_body_bytes=1000)) as api:
        yield api


async def ask(api: Api, method: str, path: str, **options: Any) -> tuple[int, str]:
    """Return an answer's status and, of a problem, its code."""
    async with api.session.request(method, path, **options) as response:
        if response.content_type != "application/problem+json":
            return response.status, ""
        return response.status, (await response.json())["code"]


async def test_keys_open_what_their_role_may(guarded: Api, keys: Keys) -> None:
    """No key reads nothing, a reader changes nothing, an operator may do both; health needs no key."""
    assert await ask(guarded, "GET", "/api/events") == (401, "key_required")
    assert await ask(guarded, "GET", "/api/openapi.json") == (401, "key_required")
    assert await ask(guarded, "GET", "/metrics") == (401, "key_required")
    assert await ask(guarded, "GET", "/api/events", headers=keys.reader) == (200, "")
    assert await ask(guarded, "POST", "/api/scheduler/pause", headers=keys.reader) == (403, "operate_key_required")
    assert await ask(guarded, "POST", "/api/scheduler/pause", headers=keys.operator) == (200, "")
    assert await ask(guarded, "GET", "/health/live") == (200, "")
    assert (await ask(guarded, "GET", "/"))[0] in {200, 503}


async def test_a_browser_logs_in_and_out(guarded: Api, keys: Keys) -> None:
    """A key becomes a cookie that scripts cannot read, and that is of no use after logging out."""
    assert await ask(guarded, "POST", "/api/session", json={"key": "nonsense"}) == (401, "key_not_valid")
    async with guarded.session.post("/api/session", json={"key": keys.reader_key}) as response:
        assert response.status == 200, await response.text()
        assert (await response.json())["role"] == "read"
        cookie = response.headers["Set-Cookie"]
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    header = {"Cookie": cookie.partition(";")[0]}
    assert await ask(guarded, "GET", "/api/events", headers=header) == (200, "")
    assert await ask(guarded, "POST", "/api/scheduler/pause", headers=header) == (403, "operate_key_required")
    assert await ask(guarded, "DELETE", "/api/session", headers=header) == (204, "")
    assert await ask(guarded, "GET", "/api/events", headers=header) == (401, "key_not_valid")


async def test_a_revoked_key_is_refused(guarded: Api, keys: Keys, engine: AsyncEngine) -> None:
    """What was revoked in the database is refused once the running service has read it."""
    key_id = keys.reader_key.split("_")[1]
    assert await PostgresKeyRepository(engine).revoke(key_id, SystemClock().now())
    await guarded.service.database.keys.refresh()
    assert await ask(guarded, "GET", "/api/events", headers=keys.reader) == (401, "key_not_valid")
    assert not await PostgresKeyRepository(engine).revoke(key_id, SystemClock().now())


async def test_a_service_for_others_does_not_start_without_a_key(database_url: str, tmp_path: Path) -> None:
    """Open to the network and no key in the database: the service refuses to begin."""
    settings = Settings(database_url=database_url, data_dir=tmp_path, host="0.0.0.0")  # noqa: S104 - refused
    with pytest.raises(SettingsError, match="no API key"):
        async with service_of(settings):
            raise AssertionError("it started")


async def test_every_answer_has_its_headers(api: Api) -> None:
    """Answers of every kind say what a browser may do with them, allow no other origin, and name their request."""
    for method, path in (
        ("GET", "/api/events"),
        ("GET", "/nowhere"),
        ("PUT", "/api/events"),
        ("OPTIONS", "/api/queue"),
    ):
        async with api.session.request(method, path, headers={"Origin": "https://evil.example"}) as response:
            headers = response.headers
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert len(headers["X-Request-ID"]) == 32
            assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_request_ids_are_the_clients_where_they_are_harmless(api: Api) -> None:
    """A client's own id comes back; one that could be more than an id is replaced."""
    for own, kept in (("run-17.a_b", True), ("x" * 65, False), ("a b", False), ("<script>", False), ("a;b", False)):
        async with api.session.get("/health/live", headers={"X-Request-ID": own}) as response:
            assert (response.headers["X-Request-ID"] == own) is kept


async def test_unknown_paths_and_methods_are_problems(api: Api) -> None:
    """404 and 405 have codes too, and 405 says which methods there are."""
    assert await ask(api, "GET", "/api/nowhere") == (404, "not_found")
    assert await ask(api, "GET", "/api/events/") == (404, "not_found")
    async with api.session.delete("/api/events") as response:
        assert (response.status, (await response.json())["code"]) == (405, "method_not_allowed")
        assert response.headers["Allow"] == "GET"


async def test_large_requests_are_not_read(api: Api) -> None:
    """A body above the limit is refused by its announced size, and one of unknown size once it is above."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"[" * 100

    path = "/api/queue/dead-letters/retry"
    json_header = {"Content-Type": "application/json"}
    assert await ask(api, "POST", path, data=b"[" * 1001, headers=json_header) == (413, "body_too_large")
    assert await ask(api, "POST", path, data=chunks(), headers=json_header) == (413, "body_too_large")
    assert await ask(api, "POST", path, data=b"[" * 100, headers=json_header) == (422, "invalid_request")
    assert await ask(api, "GET", "/api/events?text=" + "x" * 20_000) == (414, "uri_too_long")
    assert await ask(
        api, "GET", "/api/events", headers={"X-A": "x" * 5000} | {f"X-{n}": "x" * 5000 for n in range(7)}
    ) == (
        431,
        "headers_too_large",
    )


async def test_other_names_and_other_pages_are_refused(api: Api) -> None:
    """A bent host name reads nothing, and a page of another origin changes nothing."""
    assert await ask(api, "GET", "/api/events", headers={"Host": "evil.example"}) == (421, "foreign_host")
    evil = {"Origin": "https://evil.example"}
    assert await ask(api, "POST", "/api/scheduler/pause", headers=evil) == (403, "foreign_origin")
    assert await ask(api, "POST", "/api/session", json={"key": "x"}, headers=evil) == (403, "foreign_origin")


def test_keys_on_the_command_line(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is made, shown once, listed without its secret, and revoked once."""
    monkeypatch.setenv("OVERROUND_DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, ["keys", *arguments, "--json"])
        return result.exit_code, json.loads(result.stdout) if result.stdout else None

    code, made = run("create", "trading desk", "--role", "operate")
    assert (code, made["role"]) == (0, "operate")
    code, listed = run("list")
    assert [(key["name"], key["revoked_at"]) for key in listed["keys"]] == [("trading desk", None)]
    assert made["key"] not in json.dumps(listed)
    assert run("revoke", made["id"])[0] == 0
    assert run("revoke", made["id"])[0] == 4
    assert run("create", "x", "--role", "king")[0] == 2
    assert run("create", "a\nb")[0] == 2
