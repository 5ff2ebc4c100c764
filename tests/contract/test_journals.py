"""What every journal keeps to; a new implementation joins by one line in `JOURNALS`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overround.errors import JournalFullError, QueueClosedError
from overround.ports import Journal
from overround.storage.memory_journal import MemoryJournal
from overround.testing import ManualClock

ROOM = 1000  # bytes
JournalFactory = Callable[[Path], Journal]


def memory_journal(_: Path) -> Journal:
    """Return an in-memory journal."""
    return MemoryJournal(ManualClock(), ROOM)


JOURNALS: dict[str, JournalFactory] = {"memory": memory_journal}


@pytest.fixture(params=JOURNALS)
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """Yield an open journal of each kind."""
    made = JOURNALS[request.param](tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_entries_come_back_in_order(journal: Journal) -> None:
    """What is appended is read in the order of appending, byte for byte, with contiguous seqs."""
    appended = [await journal.append(f"body {number}".encode()) for number in range(5)]
    read = await journal.read(0, 10)
    assert list(read) == appended
    assert [entry.seq for entry in read] == [1, 2, 3, 4, 5]


async def test_read_starts_after_and_stops_at_the_limit(journal: Journal) -> None:
    """A reader says where it is, and how much it takes."""
    for number in range(5):
        await journal.append(bytes([number]))
    assert [entry.seq for entry in await journal.read(2, 2)] == [3, 4]


async def test_released_entries_are_forgotten(journal: Journal) -> None:
    """Released entries no longer count, later ones stay readable."""
    for number in range(4):
        await journal.append(bytes([number]))
    await journal.release(3)
    assert journal.stats().pending == 1
    assert [entry.seq for entry in await journal.read(0, 10)] == [4]


async def test_seqs_go_on_after_everything_is_released(journal: Journal) -> None:
    """An empty journal does not begin anew."""
    await journal.append(b"one")
    await journal.release(1)
    assert (await journal.append(b"two")).seq == 2


async def test_a_reader_waits_for_the_next_entry(journal: Journal) -> None:
    """Reading at the end waits, and returns what is appended next."""
    reader = asyncio.create_task(journal.read(0, 10))
    await asyncio.sleep(0)
    assert not reader.done()
    entry = await journal.append(b"news")
    assert list(await reader) == [entry]


async def test_closing_lets_readers_go(journal: Journal) -> None:
    """A reader that waits when the journal is closed gets nothing."""
    reader = asyncio.create_task(journal.read(0, 10))
    await asyncio.sleep(0)
    await journal.close()
    assert list(await reader) == []


async def test_a_closed_journal_takes_nothing(journal: Journal) -> None:
    """Appending to a closed journal is refused."""
    await journal.close()
    with pytest.raises(QueueClosedError):
        await journal.append(b"late")


async def test_a_body_larger_than_the_journal_is_refused(journal: Journal) -> None:
    """What could never fit is refused at once rather than waited for."""
    with pytest.raises(JournalFullError):
        await journal.append(bytes(ROOM + 1))


async def test_full_means_waiting_in_line(journal: Journal) -> None:
    """With no room, appenders wait and are let in in their order, small ones not before large ones."""
    await journal.append(bytes(ROOM - 10))
    large = asyncio.create_task(journal.append(bytes(ROOM - 20)))
    await asyncio.sleep(0)
    small = asyncio.create_task(journal.append(b"x"))
    await asyncio.sleep(0)
    assert not large.done()
    assert not small.done()
    await journal.release(1)
    assert ((await large).seq, (await small).seq) == (2, 3)


async def test_closing_refuses_those_who_wait(journal: Journal) -> None:
    """Whoever waits for room when the journal is closed is told so."""
    await journal.append(bytes(ROOM))
    waiting = asyncio.create_task(journal.append(b"x"))
    await asyncio.sleep(0)
    await journal.close()
    with pytest.raises(QueueClosedError):
        await waiting


async def test_stats_add_up(journal: Journal) -> None:
    """Pending entries, their bytes and the age of the oldest are told."""
    assert journal.stats().oldest_at is None
    await journal.append(b"12345")
    stats = journal.stats()
    assert (stats.pending, stats.last_seq) == (1, 1)
    assert stats.bytes >= 5
    assert stats.oldest_at is not None


@pytest.mark.parametrize("kind", JOURNALS)
@given(actions=st.lists(st.tuples(st.sampled_from(["append", "cancel", "release"]), st.integers(0, 400)), max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_cancelled_appends_are_fully_in_or_fully_out(
    kind: str, tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    """Cancel at any await: every entry read is whole, in order, without gaps, and no acknowledged one is missing."""
    journal = JOURNALS[kind](tmp_path)
    await journal.open()
    tasks: list[tuple[bytes, asyncio.Task[object]]] = []
    for number, (action, size) in enumerate(actions):
        if action == "append":
            body = number.to_bytes(2, "big") + bytes(size)
            tasks.append((body, asyncio.create_task(journal.append(body))))
            await asyncio.sleep(0)
        elif action == "cancel" and tasks:
            tasks[size % len(tasks)][1].cancel()
        elif action == "release" and journal.stats().pending:
            await journal.release(journal.stats().last_seq - journal.stats().pending + 1)
    read = await journal.read(0, 100) if journal.stats().pending else []
    seqs = [entry.seq for entry in read]
    offered = [body for body, _ in tasks]
    places = [offered.index(entry.body) for entry in read]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
    assert places == sorted(places)
    await journal.close()
    await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
