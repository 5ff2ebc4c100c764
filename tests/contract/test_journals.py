"""What every journal keeps to; a new implementation joins by one line in `JOURNALS`."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overround.errors import JournalFullError, QueueClosedError
from overround.ports import Journal
from overround.records.writing import JournalEntry
from overround.storage.journal.disk import LocalDisk
from overround.storage.journal.memory import MemoryJournal
from overround.storage.journal.segmented import SegmentedJournal
from overround.testing import FakeDisk, ManualClock

ROOM = 10_000  # bytes
JournalFactory = Callable[[Path], Journal]


def memory_journal(_: Path) -> Journal:
    """Return an in-memory journal."""
    return MemoryJournal(ManualClock(), ROOM)


def durable_journal(folder: Path) -> Journal:
    """Return a journal on the local disk."""
    return SegmentedJournal(LocalDisk(folder / "journal"), ManualClock(), max_bytes=ROOM)


def faked_journal(_: Path) -> Journal:
    """Return a durable journal on a disk in memory."""
    return SegmentedJournal(FakeDisk(), ManualClock(), max_bytes=ROOM)


JOURNALS: dict[str, JournalFactory] = {"memory": memory_journal, "durable": durable_journal, "faked": faked_journal}


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - test data is no secret


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
    await journal.append(noise(ROOM - 10))
    large = asyncio.create_task(journal.append(noise(ROOM // 2)))
    await asyncio.sleep(0)
    small = asyncio.create_task(journal.append(b"x"))
    await asyncio.sleep(0)
    assert not large.done()
    assert not small.done()
    await journal.release(1)
    assert ((await large).seq, (await small).seq) == (2, 3)


async def test_closing_refuses_those_who_wait(journal: Journal) -> None:
    """Whoever waits for room when the journal is closed is told so."""
    await journal.append(noise(ROOM))
    waiting = asyncio.create_task(journal.append(b"x"))
    await asyncio.sleep(0)
    await journal.close()
    with pytest.raises(QueueClosedError):
        await waiting


async def test_stats_add_up(journal: Journal) -> None:
    """Pending entries and their bytes are told."""
    await journal.append(b"12345")
    stats = journal.stats()
    assert (stats.pending, stats.last) == (1, 1)
    assert stats.bytes >= 5


@pytest.mark.parametrize("kind", ["memory", "durable"])
async def test_the_oldest_ages_by_the_clock_that_stamped_it(kind: str) -> None:
    """What waits is as old as the journal's own clock says, whatever time the service lives in; nothing is 0."""
    clock = ManualClock()
    journal: Journal = (
        MemoryJournal(clock, ROOM) if kind == "memory" else SegmentedJournal(FakeDisk(), clock, max_bytes=ROOM)
    )
    await journal.open()
    first = await journal.append(b"1")
    clock.advance(5)
    second = await journal.append(b"2")
    clock.advance(2)
    assert journal.stats().oldest_seconds == 7
    await journal.release(first.position)
    assert journal.stats().oldest_seconds == 2
    await journal.release(second.position)
    assert journal.stats().oldest_seconds == 0
    await journal.close()


async def test_told_not_to_wait_a_reader_gets_what_is_there(journal: Journal) -> None:
    """Reading without waiting returns nothing at the end."""
    assert list(await journal.read(0, 10, wait=False)) == []
    entry = await journal.append(b"one")
    assert list(await journal.read(0, 10, wait=False)) == [entry]
    assert list(await journal.read(1, 10, wait=False)) == []


async def test_released_entries_do_not_come_back_by_themselves(journal: Journal) -> None:
    """Releasing less than was released changes nothing."""
    first, second = await journal.append(b"1"), await journal.append(b"2")
    await journal.release(first.position)
    await journal.release(0)
    assert list(await journal.read(0, 10)) == [second]


async def test_a_note_is_kept(journal: Journal) -> None:
    """The text that was noted last is read back."""
    assert await journal.noted() == b""
    await journal.note(b"one")
    await journal.note(b"two")
    assert await journal.noted() == b"two"


async def test_what_is_there_can_be_read_again(journal: Journal) -> None:
    """After going back, what nobody forgot is pending once more, and the first of it can be asked for."""
    entries = [await journal.append(b"one"), await journal.append(b"two"), await journal.append(b"three")]
    await journal.keep(1)
    await journal.release(3)
    await journal.rewind(1)
    assert await journal.first_after(1) == 2
    assert await journal.first_after(3) is None
    assert list(await journal.read(1, 10, wait=False)) == entries[1:]
    assert journal.stats().pending == 2


async def test_each_opening_is_a_generation(journal: Journal) -> None:
    """Seqs count within the generation that entries name, and the present one comes last."""
    entry = await journal.append(b"one")
    assert (entry.generation, entry.seq, entry.position) == (journal.generation, 1, 1)
    assert journal.generations()[-1].id == journal.generation


@pytest.mark.parametrize("kind", JOURNALS)
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["append", "cancel", "step", "read"]), st.integers(0, 4000)), max_size=30
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
async def test_cancelled_appends_are_fully_in_or_fully_out(
    kind: str, tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]
) -> None:
    """Cancel at any await: what is read is whole, in order, without gaps, and no acknowledged one is missing."""
    journal = JOURNALS[kind](tmp_path_factory.mktemp("journal"))
    await journal.open()
    offered: list[bytes] = []
    tasks: list[asyncio.Task[JournalEntry]] = []
    read: list[JournalEntry] = []
    for number, (action, size) in enumerate(actions):
        if action == "append":
            offered.append(number.to_bytes(2, "big") + noise(size, number))
            tasks.append(asyncio.create_task(journal.append(offered[-1])))
        elif action == "cancel" and tasks:
            tasks[size % len(tasks)].cancel()
        elif action == "read":
            await _take(journal, read)
        await asyncio.sleep(0)
    reader = asyncio.create_task(_take_all(journal, read))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await _take(journal, read)
    await journal.close()
    await reader
    acknowledged = [one for one in results if isinstance(one, JournalEntry)]
    assert [entry.seq for entry in read] == list(range(1, len(read) + 1))
    places = [offered.index(entry.body) for entry in read]
    assert places == sorted(set(places))
    assert all(entry in read for entry in acknowledged)


async def _take(journal: Journal, read: list[JournalEntry]) -> None:
    while entries := await journal.read(read[-1].seq if read else 0, 5, wait=False):
        await _keep(journal, read, entries)


async def _take_all(journal: Journal, read: list[JournalEntry]) -> None:
    while entries := await journal.read(read[-1].seq if read else 0, 5):
        await _keep(journal, read, entries)


async def _keep(journal: Journal, read: list[JournalEntry], entries: Sequence[JournalEntry]) -> None:
    read += [entry for entry in entries if not read or entry.seq > read[-1].seq]
    await journal.release(read[-1].seq)


async def test_kept_entries_can_be_read_though_they_are_released(journal: Journal) -> None:
    """What is kept is read after its release, is no longer pending, and is forgotten when nobody keeps it."""
    for number in range(4):
        await journal.append(noise(800, number))
    await journal.release(1)
    await journal.keep(1)
    await journal.release(4)
    assert [entry.seq for entry in await journal.read(0, 10, wait=False)] == [2, 3, 4]
    stats = journal.stats()
    assert (stats.pending, stats.pending_bytes, stats.last) == (0, 0, 4)
    await journal.keep(3)
    assert [entry.seq for entry in await journal.read(0, 10, wait=False)] == [4]
    await journal.keep(None)
    assert list(await journal.read(0, 10, wait=False)) == []
    assert (await journal.append(b"next")).seq == 5
