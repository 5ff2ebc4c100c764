"""When a key is needed."""

import ipaddress

import structlog

from overround.access.keyring import KeyRing
from overround.errors import SettingsError
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
