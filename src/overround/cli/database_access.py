"""The database of the settings, for commands: with a running service or without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import create_engine
from overround.logs import configure_logs
from overround.settings import Settings
from overround.wiring import database_address


@asynccontextmanager
async def database(application_name: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine; the embedded server is the running service's, or runs meanwhile.

    Raises:
        DatabaseUnavailableError: the embedded server cannot be started.
    """
    settings = Settings()
    configure_logs(settings.log_level if settings.log_level == "debug" else "warning")
    async with database_address(settings, shared=True) as url:
        engine = create_engine(url, application_name)
        try:
            yield engine
        finally:
            await engine.dispose()
