"""Bringing a database up to date: at once where it answers, else as soon as it does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.migrate import upgrade
from overround.db.repositories import BookmakerRepository
from overround.errors import DatabaseUnavailableError
from overround.ports import Clock

_PAUSE = 1.0  # seconds between tries: a returning database should not be found late

_log = structlog.get_logger(__name__)


class Preparation:
    """A database that is migrated and knows our bookmakers, or will be; `ready` tells."""

    def __init__(self, url: str, engine: AsyncEngine, bookmakers: Mapping[int, tuple[str, str]]) -> None:
        self._url = url
        self._engine = engine
        self._bookmakers = bookmakers
        self.ready = asyncio.Event()

    async def prepare(self) -> None:
        """Migrate the schema and enter the bookmakers, number -> (slug, name).

        Raises:
            DatabaseUnavailableError: the database does not answer, or refuses.
            BookmakerMismatchError: it numbers its bookmakers otherwise.
        """
        try:
            await upgrade(self._url)
            await BookmakerRepository(self._engine).register(self._bookmakers)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
            raise DatabaseUnavailableError(f"the database does not answer: {error}") from error
        self.ready.set()

    @asynccontextmanager
    async def kept_up(self, clock: Clock) -> AsyncIterator[None]:
        """Prepare now if the database answers; if not, go on and try again until it does.

        Raises:
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
            except DatabaseUnavailableError:
                continue
            _log.info("database_back")
