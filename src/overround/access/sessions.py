"""Sessions of browsers: a random token in a cookie in place of the key."""

import secrets
from collections import OrderedDict
from datetime import timedelta

import msgspec

from overround.access.tokens import digest_of
from overround.ports import Clock

_MOST = 10_000
_TOKEN_BYTES = 32
_LONGEST = 100  # characters of a cookie that is worth hashing


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who is logged in, and until when, in monotonic seconds: no step of the wall clock ends it, or lengthens it."""

    key_id: str
    ends: float


class Sessions:
    """The sessions of this process, in memory: a restart ends them. Beyond a number the oldest one ends."""

    def __init__(self, clock: Clock, lifetime: timedelta, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._open: OrderedDict[bytes, Session] = OrderedDict()
        self.lifetime = lifetime

    def begin(self, key_id: str) -> str:
        """Begin a session for the holder of a key, and return its token."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        # Kept by digest: what is in memory opens nothing, and looking it up by time tells nothing.
        self._open[digest_of(token)] = Session(
            key_id=key_id, ends=self._clock.monotonic() + self.lifetime.total_seconds()
        )
        while len(self._open) > self._most:
            self._open.popitem(last=False)
        return token

    def key_of(self, token: str) -> str | None:
        """Return the id of the key that a session was begun with; None where there is no such session."""
        if len(token) > _LONGEST:
            return None
        session = self._open.get(digest_of(token))
        return None if session is None or session.ends <= self._clock.monotonic() else session.key_id

    def end(self, token: str) -> None:
        """End a session, if there is one."""
        self._open.pop(digest_of(token), None)
