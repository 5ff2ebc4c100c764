"""Bringing a database up to date: at once where it answers, else as soon as it does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.migrate import current, head, upgrade
from overround.db.ownership import Holder, Ownership
from overround.db.repositories import BookmakerRepository
from overround.errors import DatabaseUnavailableError, OwnedElsewhereError
from overround.ports import Clock

_PAUSE = 1.0  # seconds between tries: a returning database should not be found late

_log = structlog.get_logger(__name__)


async def own_and_upgrade(url: str, ownership: Ownership) -> str:
    """Own a database and migrate its schema, in this order; return the revision that it had before.

    A database of a release before there were owners is migrated first: nothing can own it.

    Raises:
        OwnedElsewhereError: another service owns it.
        DatabaseUnavailableError: it does not answer, or refuses.
    """
    if ownership.token is None and await ownership.exists():
        await ownership.take()
    before = await upgrade(url) if ownership.token is None else await upgrade(url, ownership.hold)
    if ownership.token is None:
        await ownership.take()
    return before


async def upgrade_alone(url: str, data_dir: Path, clock: Clock) -> str:
    """Bring a database that no service owns to the newest revision; return the one that it had before.

    A database that has the newest revision is left alone, whoever owns it.

    Raises:
        OwnedElsewhereError: a service owns it.
        DatabaseUnavailableError: it does not answer, or refuses.
    """
    before = await current(url)
    if before == head():
        return before
    ownership = Ownership(url, Holder.here(data_dir), clock)
    async with ownership.kept():
        return await own_and_upgrade(url, ownership)


class Preparation:
    """A database that this process owns, that is migrated and knows our bookmakers, or will be; `ready` tells."""

    def __init__(
        self, url: str, engine: AsyncEngine, bookmakers: Mapping[int, tuple[str, str]], ownership: Ownership
    ) -> None:
        self._url = url
        self._engine = engine
        self._bookmakers = bookmakers
        self._ownership = ownership
        self.ready = asyncio.Event()

    async def prepare(self) -> None:
        """Own the database, migrate the schema and enter the bookmakers, number -> (slug, name).

        Raises:
            DatabaseUnavailableError: the database does not answer, or refuses.
            OwnedElsewhereError: another service owns it.
            BookmakerMismatchError: it numbers its bookmakers otherwise.
        """
        try:
            await own_and_upgrade(self._url, self._ownership)
            await BookmakerRepository(self._engine).register(self._bookmakers, self._ownership.hold)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
            raise DatabaseUnavailableError(f"the database does not answer: {error}") from error
        self.ready.set()

    @asynccontextmanager
    async def kept_up(self, clock: Clock) -> AsyncIterator[None]:
        """Prepare now if the database answers; if not, go on and try again until it does.

        An owner that is found only then is no reason to stop: `Ownership.elsewhere` names it, until it is gone.

        Raises:
            OwnedElsewhereError: it answers, and another service owns it.
            BookmakerMismatchError: it answers, and numbers its bookmakers otherwise.
        """
        try:
            await self.prepare()
        except DatabaseUnavailableError as error:
            _log.error("database_away", error=str(error))
        task = asyncio.create_task(self._keep_trying(clock), name="database-preparation")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_trying(self, clock: Clock) -> None:
        while not self.ready.is_set():
            await clock.sleep(_PAUSE)
            try:
                await self.prepare()
            except OwnedElsewhereError as error:
                self._found_owner(error.holder)
            except DatabaseUnavailableError:
                continue
            else:
                _log.info("database_back")

    def _found_owner(self, holder: str) -> None:
        if self._ownership.elsewhere != holder:
            _log.error("database_owned_elsewhere", holder=holder)
        self._ownership.elsewhere = holder
