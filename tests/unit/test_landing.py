"""Lots of results: whole batches, or what has come in time."""

import asyncio
from datetime import UTC, datetime

from overround.scraping.event_scrape import EventResult, Landing

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def result(sr_id: int) -> EventResult:
    """Return a result of an event."""
    return EventResult(sr_id=sr_id, bookmaker="toy", scraped_at=AT)


async def test_without_a_time_a_lot_is_a_whole_batch() -> None:
    """What has come waits for the rest of its batch."""
    landing, rest = Landing(None), asyncio.Event()

    async def batch() -> None:
        landing.put(result(1))
        await rest.wait()
        landing.put(result(2))

    task = asyncio.create_task(batch())
    asyncio.get_running_loop().call_later(0.01, rest.set)
    assert [one.sr_id for one in await landing.lot(task)] == [1, 2]
    assert task.done()


async def test_a_slow_answer_does_not_hold_up_the_others() -> None:
    """After its time what is there is a lot, and the rest of the batch is one of its own."""
    landing, rest = Landing(0.001), asyncio.Event()

    async def batch() -> None:
        landing.put(result(1))
        await rest.wait()
        landing.put(result(2))

    task = asyncio.create_task(batch())
    assert [one.sr_id for one in await landing.lot(task)] == [1]
    rest.set()
    assert [one.sr_id for one in await landing.lot(task)] == [2]
    assert task.done()


async def test_an_empty_lot_is_waited_for() -> None:
    """While nothing has come, time alone makes no lot; a batch that brings nothing ends with an empty one."""
    landing, first = Landing(0.001), asyncio.Event()

    async def batch() -> None:
        await first.wait()

    task = asyncio.create_task(batch())
    asyncio.get_running_loop().call_later(0.01, first.set)
    assert await landing.lot(task) == []
    assert task.done()
