"""API keys as people hold them: `ork_<id>_<secret>`.

The secret is 256 random bits. Nobody finds it by guessing, with or without its digest, so one round of
SHA-256 protects it at rest as well as a slow hash would. Slow hashes are for passwords, which people
choose; here one would only make every request slow.
"""

import hashlib
import re
import secrets

import msgspec

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
