"""When a key is needed, and how often a client may ask: a bucket of tokens each, refilled steadily."""

import ipaddress
from collections import OrderedDict

import structlog

from overround.access.keyring import KeyRing
from overround.errors import SettingsError
from overround.ports import Clock
from overround.settings import Settings

_USUAL = frozenset(("127.0.0.1", "::1"))  # every request asks

_log = structlog.get_logger(__name__)


def is_loopback(address: str) -> bool:
    """Tell whether what listens on this address is reached from this machine alone."""
    if address in _USUAL or address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.startswith("/")  # a socket in the file system: its permissions say who may use it


def key_required(settings: Settings) -> bool:
    """Tell whether the service is for others than the users of this machine."""
    return settings.security.require_key or not is_loopback(settings.host)


def refuse_without_keys(settings: Settings, keys: KeyRing) -> None:
    """Let no service begin that needs a key and has none; where the database is away, it will refuse all requests.

    Raises:
        SettingsError: a key is needed, and there is none.
    """
    if not key_required(settings) or keys.count:
        return
    if not keys.loaded:
        _log.warning("keys_not_read", reason="the database is away: nobody is let in before it is back")
        return
    where = f"{settings.host} can be reached by others"
    if is_loopback(settings.host):
        where = "OVERROUND_SECURITY__REQUIRE_KEY is set"
    raise SettingsError(
        f"{where}, and there is no API key: make one with `overround keys create NAME --role operate`, "
        "or listen on 127.0.0.1"
    )


_MOST_CLIENTS = 10_000


class TokenBuckets:
    """How often each client may do something: `per_minute` in the long run, and `burst` at once.

    Memory is bounded: beyond `most_clients` the one that was away longest is forgotten, and would
    begin with a full bucket.
    """

    def __init__(self, clock: Clock, per_minute: float, burst: float, most_clients: int = _MOST_CLIENTS) -> None:
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        self._most = most_clients
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, at that instant

    @property
    def clients(self) -> int:
        """Return how many clients are remembered."""
        return len(self._levels)

    def take(self, client: str) -> float:
        """Take a token; return 0, or for how many seconds there will be none."""
        wait = self.wait(client)
        if not wait:
            tokens, now = self._levels[client]
            self._levels[client] = (tokens - 1, now)
        return wait

    def wait(self, client: str) -> float:
        """Return for how many seconds a client will find no token; 0 where there is one."""
        now = self._clock.monotonic()
        tokens, then = self._levels.get(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        self._levels[client] = (tokens, now)
        self._levels.move_to_end(client)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self._rate
