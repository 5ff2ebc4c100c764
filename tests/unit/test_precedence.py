"""Storing goes before reading."""

import asyncio
import contextlib

from overround.scraping.precedence import Precedence


async def read(precedence: Precedence, told: list[str], name: str) -> None:
    """Read a body: tell its name when the turn has come."""
    async with precedence.reading():
        told.append(name)


async def test_bodies_wait_while_a_batch_is_stored() -> None:
    """Nothing is read from the beginning of a store to its end, then everything in the order of arrival."""
    precedence = Precedence()
    told: list[str] = []
    with precedence.storing():
        bodies = [asyncio.create_task(read(precedence, told, name)) for name in ("first", "second")]
        _, waiting = await asyncio.wait(bodies, timeout=0.01)
        assert len(waiting) == 2
        told.append("stored")
    await asyncio.gather(*bodies)
    assert told == ["stored", "first", "second"]


async def test_the_last_of_several_stores_lets_bodies_go() -> None:
    """A store that ends while another goes on lets nothing through; a store that fails is over too."""
    precedence = Precedence()
    told: list[str] = []
    with precedence.storing():
        body = asyncio.create_task(read(precedence, told, "body"))
        with contextlib.suppress(OSError), precedence.storing():
            raise OSError("refused")
        await asyncio.wait([body], timeout=0.01)
        told.append("stored")
    await body
    assert told == ["stored", "body"]


async def test_a_body_that_gives_up_frees_its_turn() -> None:
    """A reader that is cancelled while it waits holds up nobody."""
    precedence = Precedence()
    told: list[str] = []
    with precedence.storing():
        gone, stays = (asyncio.create_task(read(precedence, told, name)) for name in ("gone", "stays"))
        await asyncio.wait([gone, stays], timeout=0.01)
        gone.cancel()
    await asyncio.gather(gone, stays, return_exceptions=True)
    assert told == ["stays"]
