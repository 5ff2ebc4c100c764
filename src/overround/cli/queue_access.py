"""The queue and its dead letters for commands: of a running service, else of the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from overround.cli.database_access import database
from overround.cli.service_file import ask_service
from overround.db.dead_letters import DeadLetterRepository
from overround.db.server_home import home_of
from overround.settings import Settings
from overround.storage.dead_letters import read_letter, shown_content


async def offline_status(repository: DeadLetterRepository) -> dict[str, Any]:
    """Return what is known while no service runs."""
    written = await repository.written()
    return {"running": False, "dead_letters": dict(await repository.kinds()), **msgspec.to_builtins(written)}


async def offline_page(repository: DeadLetterRepository, after: int, limit: int) -> dict[str, Any]:
    """Return a page of dead letters."""
    letters = await repository.page(after, limit)
    kinds = await repository.kinds()
    return {
        "total": sum(kinds.values()),
        "kinds": dict(kinds),
        "letters": msgspec.to_builtins(letters),
        "next_after": letters[-1].id if len(letters) == limit else None,
    }


async def offline_letter(repository: DeadLetterRepository, letter_id: int) -> dict[str, Any]:
    """Return a dead letter with its content.

    Raises:
        UnknownDeadLetterError: there is none with that id.
    """
    letter = await read_letter(repository, letter_id)
    facts: dict[str, Any] = msgspec.to_builtins(letter)
    del facts["payload"]
    return {**facts, "content": shown_content(letter)}


async def offline_held(repository: DeadLetterRepository) -> dict[str, Any]:
    """Return the bookmakers whose rows are held back."""
    return {"bookmakers": msgspec.to_builtins(await repository.held())}


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
