"""Who may do what: the one place that decides whether a request is served.

Whoever reaches the service over the loopback interface alone needs no key. A browser on the same machine
does so too, for any web page that it shows; therefore such a request must name this machine as its host,
and what changes something must not come from another page.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, cast

import msgspec
from fastapi import Depends, Request
from pydantic import BaseModel

from overround.access.keyring import KeyRing
from overround.access.policy import TokenBuckets, is_loopback
from overround.access.tokens import Sessions
from overround.ports import Clock
from overround.records.stored import ApiKey, Role
from overround.settings import SecuritySettings

COOKIE = "overround_session"
SESSION_PATH = "/api/session"
SCOPE_KEY = "overround.access"

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_HEALTH = ("/health/live", "/health/ready")
_COSTLY = re.compile(r"\.csv$|/history$|^/api/(?:integrity|database|markets/checks|doctor)|/changes$")
_LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
_OWN_SITE = frozenset(("same-origin", "none"))
_BURST_SECONDS = 10  # of the limit may be used at once


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may do; `key` is None where none is needed, or none was shown."""

    role: Role | None
    key_required: bool
    key: ApiKey | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request is not served."""

    status: HTTPStatus
    code: str
    detail: str
    headers: Mapping[str, str] = {}


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision needs to know of a request; texts are empty where the request has no such header."""

    method: str
    path: str
    client: str = ""
    reached_at: str = ""
    hosts: tuple[str, ...] = ()
    origin: str = ""
    fetch_site: str = ""
    authorization: str = ""
    session: str = ""
    request_id: str = ""
    content_length: str = ""
    headers_size: int = 0

    @property
    def changes(self) -> bool:
        """Tell whether the request may change something."""
        return self.method not in SAFE_METHODS


class Guard:
    """Decides about requests; everything it looks at is in memory."""

    def __init__(
        self,
        keys: KeyRing,
        clock: Clock,
        settings: SecuritySettings,
        *,
        key_required: bool,
        is_open: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Build it; `is_open` tells of a path that it shows no data: the page's files."""
        self.keys = keys
        self.sessions = Sessions(clock, settings.session_lifetime)
        self.max_body_bytes = settings.max_body_bytes
        self._key_required = key_required or settings.require_key
        self._allowed_hosts = _LOCAL_NAMES | {name.lower() for name in settings.allowed_hosts}
        self._is_open = is_open
        self._all = _buckets(clock, settings.requests_per_minute)
        self._costly = _buckets(clock, settings.costly_per_minute)
        self._refused = _buckets(clock, settings.refusals_per_minute)

    def admit(self, visit: Visit) -> Access | Refusal:
        """Return what a request may do, or why it is not served."""
        if visit.path in _HEALTH:
            return Access(role=None, key_required=self._key_required)
        access = self._access(visit)
        client = client_of(visit, access)
        if wait := self._all.take(client):
            return _slow_down(wait)
        if refusal := self._foreign(visit, access) or self._forbidden(visit, access):
            return self._counted(client, refusal)
        # Only now: a foreign page must not be able to use up what the page's own user may do.
        if is_costly(visit) and (wait := self._costly.take(client)):
            return _slow_down(wait)
        return access

    def log_in(self, visit: Visit, token: str) -> ApiKey | Refusal:
        """Return the key that somebody wants to log in with, or why that is not possible."""
        return self.keys.holder(token) or self._counted(visit.client, self._unknown(shown=True))

    def _access(self, visit: Visit) -> Access:
        if not self._key_required and is_loopback(visit.reached_at):
            return Access(role=Role.OPERATE, key_required=False)
        key = self._holder(visit)
        return Access(role=None if key is None else key.role, key_required=True, key=key)

    def _holder(self, visit: Visit) -> ApiKey | None:
        scheme, _, token = visit.authorization.partition(" ")
        if scheme:
            return self.keys.holder(token.strip()) if scheme.lower() == "bearer" else None
        key_id = self.sessions.key_of(visit.session) if visit.session else None
        return None if key_id is None else self.keys.get(key_id)

    def _foreign(self, visit: Visit, access: Access) -> Refusal | None:
        """Refuse what another web page, or a name that was bent to this machine, makes a browser send."""
        host = visit.hosts[0] if len(visit.hosts) == 1 else ""
        if not access.key_required and not self._is_ours(host):
            detail = "the service does not go by this name here: see OVERROUND_SECURITY__ALLOWED_HOSTS"
            return Refusal(status=HTTPStatus.MISDIRECTED_REQUEST, code="foreign_host", detail=detail)
        if visit.changes and _from_elsewhere(visit, host):
            detail = "this was sent by a page of another origin"
            return Refusal(status=HTTPStatus.FORBIDDEN, code="foreign_origin", detail=detail)
        return None

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.partition(":")
        plain = name in self._allowed_hosts and (port.isdecimal() or not port)
        return plain or host_name(host) in self._allowed_hosts

    def _forbidden(self, visit: Visit, access: Access) -> Refusal | None:
        if visit.path == SESSION_PATH:
            return None
        if access.role is Role.OPERATE or (access.role is Role.READ and not visit.changes):
            return None
        if access.role is Role.READ:
            detail = "this key may read only; what changes something needs one that may operate"
            return Refusal(status=HTTPStatus.FORBIDDEN, code="operate_key_required", detail=detail)
        if not visit.changes and self._is_open(visit.path):
            return None
        return self._unknown(shown=bool(visit.authorization or visit.session))

    def _unknown(self, *, shown: bool) -> Refusal:
        if not self.keys.loaded:
            detail = "the keys cannot be read yet: the database is away"
            return Refusal(status=HTTPStatus.SERVICE_UNAVAILABLE, code="keys_unavailable", detail=detail)
        challenge = {"WWW-Authenticate": "Bearer"}
        if shown:
            detail = "this key or session is not valid, or no longer"
            return Refusal(status=HTTPStatus.UNAUTHORIZED, code="key_not_valid", detail=detail, headers=challenge)
        detail = "an API key is needed: `Authorization: Bearer KEY`, or log in"
        return Refusal(status=HTTPStatus.UNAUTHORIZED, code="key_required", detail=detail, headers=challenge)

    def _counted(self, client: str, refusal: Refusal) -> Refusal:
        wait = self._refused.take(client)
        return _slow_down(wait) if wait else refusal


class AccessView(BaseModel):
    """What whoever asks may do; `role` is null for somebody without a key where one is needed."""

    role: Role | None
    key_required: bool


def access_view(access: Access) -> AccessView:
    """Return what a client is told of its access."""
    return AccessView(role=access.role, key_required=access.key_required)


def is_costly(visit: Visit) -> bool:
    """Tell whether a request costs much more than an answer from the cache."""
    return visit.changes or _COSTLY.search(visit.path) is not None


def client_of(visit: Visit, access: Access) -> str:
    """Return whose limits count: a key's, or an address's; of IPv6 the network, which is one customer's."""
    if access.key is not None:
        return access.key.id
    if ":" not in visit.client:
        return visit.client
    try:
        return ipaddress.IPv6Address(visit.client).packed[:8].hex()
    except ValueError:  # a proxy's header says something else
        return "unknown"


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets; empty where it is not well-formed."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?", host)
    return "" if match is None else (match[1] or match[2]).lower().rstrip(".")


def _from_elsewhere(visit: Visit, host: str) -> bool:
    if visit.fetch_site and visit.fetch_site not in _OWN_SITE:
        return True
    # The scheme may differ: a proxy in front may speak TLS.
    return bool(visit.origin) and visit.origin.lower().partition("://")[2] != host.lower()


def _buckets(clock: Clock, per_minute: int) -> TokenBuckets:
    return TokenBuckets(clock, per_minute, max(1.0, per_minute * _BURST_SECONDS / 60))


def _slow_down(wait: float) -> Refusal:
    return Refusal(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        code="rate_limited",
        detail=f"too many requests: again in {wait:.1f} s",
        headers={"Retry-After": str(int(wait) + 1)},
    )


def _current_access(request: Request) -> Access:
    return cast("Access", request.scope[SCOPE_KEY])


def _current_guard(request: Request) -> Guard:
    return cast("Guard", request.app.state.guard)


CurrentAccess = Annotated[Access, Depends(_current_access)]
CurrentGuard = Annotated[Guard, Depends(_current_guard)]
