"""Credentials: API keys as `ork_<id>_<secret>`, and the random tokens of browser sessions.

The secret is 256 random bits. Nobody finds it by guessing, with or without its digest, so one round of
SHA-256 protects it at rest as well as a slow hash would. Slow hashes are for passwords, which people
choose; here one would only make every request slow.
"""

import hashlib
import re
import secrets
from collections import OrderedDict
from datetime import timedelta

import msgspec

from overround.ports import Clock

_PREFIX = "ork"
_TOKEN = re.compile(rf"{_PREFIX}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}")
_ID_BYTES = 4
_SECRET_BYTES = 32


class MintedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key; `token` is shown once, `digest` is kept."""

    id: str
    token: str
    digest: bytes


class PresentedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody shows: the id that it claims, and its digest."""

    id: str
    digest: bytes


def mint_key() -> MintedKey:
    """Return a new random key."""
    key_id = secrets.token_hex(_ID_BYTES)
    token = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return MintedKey(id=key_id, token=token, digest=digest_of(token))


def presented_key(token: str) -> PresentedKey | None:
    """Return what a text says as a key; None where it is none of ours."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else PresentedKey(id=match[1], digest=digest_of(token))


def digest_of(token: str) -> bytes:
    """Return what is kept in place of a key or of a session's token."""
    return hashlib.sha256(token.encode()).digest()


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
        ends = self._clock.monotonic() + self.lifetime.total_seconds()
        self._open[digest_of(token)] = Session(key_id=key_id, ends=ends)
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
