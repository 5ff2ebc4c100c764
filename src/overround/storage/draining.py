"""Bringing home what a former journal still holds, beside whoever owns the database now.

Apart because the command that drains is no part of a running service's write path.
"""

import asyncio

from overround.ports import Journal, WriteHandler
from overround.storage.batch_codec import read_entry

_AT_ONCE = 50


async def drain_former(journal: Journal, handler: WriteHandler) -> int:
    """Write what an open journal holds and the database does not have; return how many batches that were.

    Generations that the database does not know yet get a place below the newest one: what they say comes into the
    history, and replaces no later state.

    Raises what the handler raises; what was written until then is released, and the rest can be drained again.
    """
    await handler.register([one.id for one in journal.generations() if one.id != journal.generation], late=True)
    position = written = 0
    while entries := await journal.read(position, _AT_ONCE, wait=False):
        batches = [await asyncio.to_thread(read_entry, entry) for entry in entries]
        report = await handler.write(entries[0].generation, batches)
        written += report.batches
        position = entries[-1].position
        await journal.release(position)
    return written
