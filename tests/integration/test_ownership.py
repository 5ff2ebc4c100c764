"""One owner of a database: taking, renewing, giving back, the fence, and former owners that come back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.clock import SystemClock
from overround.db.engine import driver_connection
from overround.db.ownership import TTL, Holder, Ownership
from overround.errors import NotOwnerError, OwnedElsewhereError, OwnershipLostError

Claim = Callable[[str], Ownership]


@pytest.fixture
def claim(engine: AsyncEngine) -> Claim:
    """Return what makes claims on this test's database, as of processes on machines of their own."""
    url = engine.url.render_as_string(hide_password=False)

    def claimed(name: str) -> Ownership:
        return Ownership(url, Holder(name=name, machine="", pid=1), SystemClock())

    return claimed


@asynccontextmanager
async def owning(ownership: Ownership) -> AsyncIterator[Ownership]:
    """Own the database during a block."""
    async with ownership.kept():
        await ownership.take()
        yield ownership


async def test_a_free_database_is_owned_at_once_and_given_back(claim: Claim) -> None:
    """One owner after the other, each with a greater token, without waiting for the lease to run out."""
    clock = SystemClock()
    began = clock.monotonic()
    tokens = []
    for name in ("first", "second", "third"):
        async with owning(claim(name)) as ownership:
            tokens.append(ownership.token)
    assert tokens == sorted({token for token in tokens if token})
    assert clock.monotonic() - began < TTL


async def test_a_living_owner_is_named_within_seconds(claim: Claim) -> None:
    """Whoever wants a database that is owned hears of its owner, before the lease could run out."""
    async with owning(claim("first")):
        clock = SystemClock()
        began = clock.monotonic()
        with pytest.raises(OwnedElsewhereError, match="first"):
            await claim("second").take()
        assert clock.monotonic() - began < TTL


async def test_a_step_of_the_databases_clock_takes_nothing_from_a_living_owner(
    claim: Claim, engine: AsyncEngine
) -> None:
    """A lease that has expired by far, by the database's clock, is a living owner's as long as it is renewed."""
    async with owning(claim("first")):
        async with engine.begin() as connection:
            await connection.execute(text("update owner_seen set expires_at = now() - interval '3 days'"))
        with pytest.raises(OwnedElsewhereError, match="first"):
            await claim("second").take()


async def test_a_silent_owner_loses_and_its_rows_are_refused(claim: Claim, engine: AsyncEngine) -> None:
    """After the lease another one owns; the former one's next transaction ends, and it learns who owns now."""
    former = claim("first")
    await former.take()
    async with owning(claim("second")), driver_connection(engine) as connection, connection.transaction():
        with pytest.raises(OwnershipLostError, match="second"):
            await former.hold(connection)
    assert former.lost.is_set()


async def test_an_open_transaction_of_a_stopped_owner_is_ended(claim: Claim, engine: AsyncEngine) -> None:
    """A take-over waits a second for a transaction that holds the token, then ends its backend; its rows are gone."""
    former = claim("first")
    await former.take()
    async with engine.connect() as stuck:
        raw = cast("asyncpg.Connection", (await stuck.get_raw_connection()).driver_connection)
        await raw.execute("begin")
        await former.hold(raw)
        await raw.execute("insert into bookmakers values (1, 'late', 'Late')")
        async with owning(claim("second")):
            assert raw.is_closed() or await ended(raw)
        await stuck.invalidate()
    async with engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from bookmakers"))).scalar_one() == 0


async def ended(connection: asyncpg.Connection) -> bool:
    """Return whether a connection is of no use any more."""
    try:
        await connection.execute("commit")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return True
    return False


async def test_nobody_writes_before_it_owns(claim: Claim, engine: AsyncEngine) -> None:
    """A process that has not taken the database yet may not write."""
    async with driver_connection(engine) as connection, connection.transaction():
        with pytest.raises(NotOwnerError):
            await claim("early").hold(connection)


async def test_of_many_that_want_it_one_owns(claim: Claim) -> None:
    """Ten start at once: one owns, the others name it."""
    claims = [claim(f"claim {number}") for number in range(10)]

    async def try_it(ownership: Ownership) -> str:
        try:
            await ownership.take()
        except OwnedElsewhereError as error:
            return error.holder
        return ""

    async with asyncio.TaskGroup() as group:
        keeping = [group.create_task(_kept_until(one, claims)) for one in claims]
        answers = await asyncio.gather(*(try_it(one) for one in claims))
        for task in keeping:
            task.cancel()
    assert answers.count("") == 1
    assert set(answers) - {""} == {f"claim {answers.index('')}"}


async def _kept_until(ownership: Ownership, _: object) -> None:
    async with ownership.kept():
        await asyncio.Event().wait()


async def test_a_database_that_went_back_in_time_is_taken_again(claim: Claim, engine: AsyncEngine) -> None:
    """An older copy with a former token: the owner takes it again, and may write until another takes over."""
    async with owning(claim("first")) as ownership:
        async with engine.begin() as connection:
            await connection.execute(text("update owner set token = 0, holder = ''"))
            await connection.execute(text("delete from owner_seen"))
        renewed = asyncio.Event()
        ownership.on_renewed(lambda _: renewed.set())
        async with asyncio.timeout(20):
            await renewed.wait()
        async with driver_connection(engine) as connection, connection.transaction():
            await ownership.hold(connection)
        assert not ownership.lost.is_set()


async def test_a_dead_process_of_this_machine_is_not_waited_for(engine: AsyncEngine, tmp_path: Path) -> None:
    """The next start after a kill begins at once: no process with the former owner's number is left."""
    url = engine.url.render_as_string(hide_password=False)
    here = Holder.here(tmp_path)
    dead = Ownership(url, Holder(name="dead", machine=here.machine, pid=2**22 + 1), SystemClock())
    await dead.take()
    clock = SystemClock()
    began = clock.monotonic()
    async with owning(Ownership(url, here, clock)):
        assert clock.monotonic() - began < TTL / 2
