"""Where `overround queue` reads: from the running service, else from the database of the settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from overround.cli.database_access import database
from overround.cli.service_file import ask_service
from overround.db.dead_letters import DeadLetterRepository
from overround.db.server_home import home_of
from overround.settings import Settings

Offline = Callable[[DeadLetterRepository], Awaitable[dict[str, Any]]]


def read(path: str, offline: Offline) -> dict[str, Any] | None:
    """Return what the service answers or, where none runs, what `offline` finds; None without a database.

    Raises:
        OverroundError: the service answers with an error, or the database does not answer.
    """
    settings = Settings()
    answer = ask_service(settings.data_dir, path)
    if answer is not None or not _has_database(settings):
        return answer
    return asyncio.run(_from_database(offline))


def _has_database(settings: Settings) -> bool:
    """Tell whether there is a database to read: reading is no reason to make one."""
    return settings.database_url is not None or home_of(settings.data_dir).cluster.exists()


async def _from_database(offline: Offline) -> dict[str, Any]:
    async with database("overround queue") as engine:
        return await offline(DeadLetterRepository(engine))
