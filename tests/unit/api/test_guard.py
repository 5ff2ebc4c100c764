from http import HTTPStatus
from typing import Any

import pytest

from overround.access.keyring import KeyRing
from overround.access.policy import is_loopback, key_required, refuse_without_keys
from overround.api.framework.security import Access, Guard, Refusal, Visit, host_name
from overround.errors import SettingsError
from overround.records.stored import Role
from overround.settings import SecuritySettings, Settings
from overround.testing import ManualClock
from tests.unit.test_access import Shelf, ready

LOCAL: dict[str, Any] = {"client": "127.0.0.1", "reached_at": "127.0.0.1", "hosts": ("127.0.0.1:8000",)}
REMOTE: dict[str, Any] = {"client": "10.0.0.7", "reached_at": "10.0.0.1", "hosts": ("odds.example:8000",)}


class Door:
    """A guard with two keys."""

    def __init__(self, *, key_required: bool, **settings: object) -> None:
        self.clock = ManualClock()
        self.shelf = Shelf()
        self.reader = self.shelf.add(self.clock)
        self.operator = self.shelf.add(self.clock, Role.OPERATE)
        self.keys = KeyRing(self.shelf, ready(), self.clock)
        self.guard = Guard(
            self.keys,
            self.clock,
            SecuritySettings(**settings),  # type: ignore[arg-type]  # values by name
            key_required=key_required,
            is_open=lambda path: path == "/",
        )

    def ask(self, method: str = "GET", path: str = "/api/events", key: str = "", **facts: Any) -> str:
        """Return the role with which a request is served, or the code with which it is refused."""
        authorization = f"Bearer {key}" if key else ""
        visit = Visit(method=method, path=path, **{"authorization": authorization, **REMOTE, **facts})
        answer = self.guard.admit(visit)
        return answer.code if isinstance(answer, Refusal) else str(answer.role)


@pytest.fixture
def open_door() -> Door:
    """Return a guard that asks nobody on this machine for a key."""
    return Door(key_required=False)


@pytest.fixture
async def door() -> Door:
    """Return a guard that asks for keys, and has read them."""
    door = Door(key_required=True)
    await door.keys.refresh()
    return door


def test_on_loopback_no_key_is_needed(open_door: Door) -> None:
    """Who reaches the service over loopback under a name of this machine may do everything."""
    for host in ("127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "localhost."):
        assert open_door.ask("POST", **{**LOCAL, "hosts": (host,)}) == "operate"


@pytest.mark.parametrize(
    "hosts",
    [(), ("evil.example",), ("127.0.0.1.evil.example:8000",), ("127.0.0.1@evil",), ("localhost", "evil"), ("",)],
)
def test_foreign_host_names_are_refused_on_loopback(open_door: Door, hosts: tuple[str, ...]) -> None:
    """A name that was bent to 127.0.0.1 gives a web page no access: not even reading."""
    assert open_door.ask(**{**LOCAL, "hosts": hosts}) == "foreign_host"


def test_further_host_names_are_a_setting() -> None:
    """A name in the settings is as good as localhost."""
    door = Door(key_required=False, allowed_hosts=("Desk.example",))
    assert door.ask(**{**LOCAL, "hosts": ("desk.example:8000",)}) == "operate"


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ({"origin": "http://127.0.0.1:8000"}, "operate"),
        ({"origin": "http://127.0.0.1:8000", "fetch_site": "same-origin"}, "operate"),
        ({"origin": "http://evil.example"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
        ({"origin": "http://127.0.0.1:3000"}, "foreign_origin"),
        ({"fetch_site": "cross-site"}, "foreign_origin"),
        ({"fetch_site": "same-site"}, "foreign_origin"),
        ({"fetch_site": "none"}, "operate"),
    ],
)
def test_pages_of_other_origins_change_nothing(open_door: Door, facts: dict[str, str], answer: str) -> None:
    """A browser that says where a request comes from is believed; programs send no such headers."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert open_door.ask(method, **{**LOCAL, **facts}) == answer


def test_a_service_started_as_local_asks_others_for_a_key(open_door: Door) -> None:
    """What counts is the address that a request reached, so that `uvicorn --host` opens nothing."""
    assert open_door.ask() == "keys_unavailable"
    assert open_door.ask(reached_at="0.0.0.0") == "keys_unavailable"  # noqa: S104 - not listened on


async def test_keys_and_roles(door: Door) -> None:
    """Without a key nothing, with one that reads no change, with one that operates everything."""
    assert door.ask() == "key_required"
    assert door.ask(path="/nowhere") == "key_required"
    assert door.ask(path="/metrics") == "key_required"
    assert door.ask(**LOCAL) == "key_required"
    assert door.ask(key="nonsense") == "key_not_valid"
    assert door.ask(authorization="Basic b3BlbjpzZXNhbWU=") == "key_not_valid"
    assert door.ask(key=door.reader) == "read"
    assert door.ask(authorization=f"bearer  {door.reader}") == "read"
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "X"):
        assert door.ask(method, key=door.reader) == "operate_key_required"
        assert door.ask(method, key=door.operator) == "operate"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/"])
async def test_health_and_page_stay_open(door: Door, path: str) -> None:
    """What shows no data needs no key; nobody may change anything there either."""
    assert door.ask(path=path) == "None"


@pytest.mark.parametrize("path", ["//", "/health", "/health/live/", "/health/live/../../api/events", "/api/session/x"])
async def test_paths_that_look_like_open_ones_are_not(door: Door, path: str) -> None:
    """A path is open as it stands, or not at all."""
    assert door.ask(path=path) == "key_required"


async def test_sessions_stand_for_their_key(door: Door) -> None:
    """A cookie has its key's role, a revoked key has no sessions, and a bad header is not saved by a good cookie."""
    key = door.keys.holder(door.operator)
    assert key is not None
    session = door.guard.sessions.begin(key.id)
    assert door.ask("POST", session=session) == "operate"
    assert door.ask("POST", session=session, origin="https://evil.example") == "foreign_origin"
    assert door.ask("POST", session=session, origin="https://odds.example:8000") == "operate"
    assert door.ask(session=session, key="nonsense") == "key_not_valid"
    door.shelf.content = []
    await door.keys.refresh()
    assert door.ask(session=session) == "key_not_valid"


async def test_refusals_are_limited() -> None:
    """Who tries keys is soon answered 429 only; holders of keys behind the same address are not affected."""
    door = Door(key_required=True, refusals_per_minute=60)
    await door.keys.refresh()
    answers = [door.ask(key="nonsense") for _ in range(1000)]
    assert answers == ["key_not_valid"] * 10 + ["rate_limited"] * 990
    assert door.ask(client="10.0.0.8") == "key_required"
    assert door.ask(key=door.reader) == "read"


async def test_logins_are_limited() -> None:
    """Trying keys by logging in counts as much."""
    door = Door(key_required=True, refusals_per_minute=60)
    await door.keys.refresh()
    visit = Visit(method="POST", path="/api/session", client="10.0.0.7")
    answers = [door.guard.log_in(visit, "nonsense") for _ in range(11)]
    assert [answer.code for answer in answers if isinstance(answer, Refusal)][-2:] == ["key_not_valid", "rate_limited"]


async def test_what_costs_is_limited() -> None:
    """Requests that change something or are long to answer have a limit of their own, and say when to come again."""
    door = Door(key_required=True, costly_per_minute=60)
    await door.keys.refresh()
    for path in ("/api/events.csv", "/api/events/7/history", "/api/integrity"):
        assert [door.ask(path=path, key=door.reader) for _ in range(11)] == ["read"] * 10 + ["rate_limited"]
        door.clock.advance(60)
    assert [door.ask("POST", key=door.operator) for _ in range(11)] == ["operate"] * 10 + ["rate_limited"]
    assert [door.ask(key=door.operator) for _ in range(11)] == ["operate"] * 11
    visit = Visit(method="POST", path="/", authorization=f"Bearer {door.operator}")
    refusal = door.guard.admit(visit)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "2")


def test_everything_is_limited() -> None:
    """No client has more than its share of requests, however harmless; health is answered all the same."""
    door = Door(key_required=False, requests_per_minute=600)
    answers = [door.ask(**LOCAL) for _ in range(1000)]
    assert answers == ["operate"] * 100 + ["rate_limited"] * 900
    assert door.ask(path="/health/live", **LOCAL) == "None"


def test_an_ipv6_network_is_one_client() -> None:
    """Who has one IPv6 address has 2^64 of them."""
    door = Door(key_required=True, requests_per_minute=6)
    first = door.guard.admit(Visit(method="GET", path="/", client="2001:db8::1"))
    second = door.guard.admit(Visit(method="GET", path="/", client="2001:db8::2"))
    other = door.guard.admit(Visit(method="GET", path="/", client="2001:db9::2"))
    assert isinstance(first, Access)
    assert isinstance(second, Refusal)
    assert isinstance(other, Access)
    assert isinstance(door.guard.admit(Visit(method="GET", path="/", client="no:address")), Access)


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.example:1", "a.example"), ("[::1]:8000", "::1"), ("a b", ""), ("a:b", ""), ("a\r\nb", ""), ("[::1", "")],
)
def test_host_headers_are_read_strictly(host: str, name: str) -> None:
    """Only a well-formed name counts as one."""
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False)],  # noqa: S104
)
def test_which_addresses_are_loopback(host: str, local: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """An address that is not known to be this machine's own is not."""
    assert is_loopback(host) is local
    assert key_required(Settings(host=host)) is not local


async def test_no_key_no_start() -> None:
    """A service that others can reach does not begin without a key, and says how to make one."""
    clock, shelf = ManualClock(), Shelf()
    ring = KeyRing(shelf, ready(), clock)
    await ring.refresh()
    for settings in (Settings(host="10.0.0.1"), Settings(security=SecuritySettings(require_key=True))):
        with pytest.raises(SettingsError, match="overround keys create"):
            refuse_without_keys(settings, ring)
    refuse_without_keys(Settings(), ring)
    shelf.add(clock)
    await ring.refresh()
    refuse_without_keys(Settings(host="10.0.0.1"), ring)
