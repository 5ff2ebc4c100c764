"""What the database alone can tell about the write queue, in the form of the service's answers."""

from typing import Any

import msgspec

from overround.db.dead_letters import DeadLetterRepository
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
