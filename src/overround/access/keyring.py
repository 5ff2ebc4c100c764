"""The keys in memory: a request never waits for the database."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Protocol

import structlog

from overround.access.tokens import presented_key
from overround.errors import DatabaseUnavailableError
from overround.ports import Clock
from overround.records.stored import ApiKey

REFRESHED_EVERY = 5.0  # seconds: how long a revoked key may still work
_NOBODY = bytes(32)  # compared with where no such key is, so that both cases take as long

_log = structlog.get_logger(__name__)


class KeySource(Protocol):
    """Where keys are kept."""

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys; raises DatabaseUnavailableError where they cannot be read."""


class KeyRing:
    """The keys that are valid, as last read; `loaded` tells whether they have been read at all."""

    def __init__(self, source: KeySource, ready: asyncio.Event, clock: Clock) -> None:
        """Build an empty one; nothing is read before `ready` is set."""
        self._source = source
        self._ready = ready
        self._clock = clock
        self._valid: Mapping[str, ApiKey] = MappingProxyType({})
        self.loaded = False

    @property
    def count(self) -> int:
        """Return how many keys are valid."""
        return len(self._valid)

    async def stored(self) -> Sequence[ApiKey]:
        """Return all keys as they are kept now, revoked ones too.

        Raises:
            DatabaseUnavailableError: they cannot be read.
        """
        return await self._source.keys()

    def get(self, key_id: str) -> ApiKey | None:
        """Return a valid key by its id."""
        return self._valid.get(key_id)

    def holder(self, token: str) -> ApiKey | None:
        """Return the key that a text is; None where it is no valid one. Takes the same time either way."""
        shown = presented_key(token)
        if shown is None:
            return None
        key = self._valid.get(shown.id)
        same = hmac.compare_digest(_NOBODY if key is None else key.digest, shown.digest)
        return key if same else None

    async def refresh(self) -> None:
        """Read the keys; where the database is away, those known so far stay valid."""
        try:
            keys = await self._source.keys()
        except DatabaseUnavailableError as error:
            _log.warning("keys_not_refreshed", error=str(error))
            return
        self._valid = MappingProxyType({key.id: key for key in keys if key.revoked_at is None})
        self.loaded = True

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Read the keys now if the database answers, and again and again during the block."""
        if self._ready.is_set():
            await self.refresh()
        task = asyncio.create_task(self._keep_fresh(), name="api-keys")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        await self._ready.wait()
        while True:
            await self.refresh()
            await self._clock.sleep(REFRESHED_EVERY)
