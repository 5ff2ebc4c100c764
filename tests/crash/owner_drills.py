"""The drills of several services on one database, and of wrong clocks, judged by the bookmaker's own ledger."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import asyncpg
import msgspec

from overround.db.embedded import DATABASE, USER, running_postgres
from overround.db.server_home import home_of
from tests.crash.account import Account, account, account_of_two
from tests.crash.arena import until
from tests.crash.bookie import Bookie, Tariff
from tests.crash.journal_drills import at_rest, ledger_row
from tests.crash.relay import Relay
from tests.crash.service import ServiceProcess, Site, ledger_site
from tests.crash.stepping import CLOCK_FILE
from tests.crash.table import Row

Compare = Callable[[str, Bookie], Awaitable[Account]]

_ANSWERS = 240  # of the bookmaker: some cycles of all its events
_PATIENCE = 60.0  # seconds
_REFUSED_WITHIN = 5.0  # seconds of the process's own working time
_ROOT = Path(__file__).resolve().parents[2]
_STEPS = MappingProxyType(
    {"2 h back": timedelta(hours=-2), "3 days on": timedelta(days=3), "200 d": timedelta(days=200)}
)
_OLDEST = 30.0  # seconds; prices are seen every second


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A database that all services of a drill reach, and the places of two of them."""

    url: str
    data_dir: Path
    first: Site
    second: Site

    @property
    def sockets(self) -> str:
        """Return where its server listens."""
        return str(home_of(self.data_dir).sockets)

    async def owner(self) -> int:
        """Return the token of the owner; 0 while the server is away."""
        try:
            connection = await asyncpg.connect(host=self.sockets, user=USER, database=DATABASE)
        except (OSError, asyncpg.PostgresError):
            return 0
        try:
            return int(await connection.fetchval("select token from owner"))
        finally:
            await connection.close()

    async def another_owner(self, than: int, heir: ServiceProcess) -> None:
        """Wait until another process owns the database: the heir, which has to live."""
        async with asyncio.timeout(_PATIENCE):
            while await self.owner() in {0, than}:
                await heir.lasts(0.05)

    async def settle(
        self, service: ServiceProcess, bookie: Bookie, drill: str, faults: dict[str, int], compare: Compare = account
    ) -> Row:
        """Bring home what the first service still has, let the second one rest, and compare."""
        code, out = await self.second.command(
            "queue", "drain", "--data-dir", str(self.first.data_dir), "--json", database_url=self.url
        )
        await bookie.more(_ANSWERS)
        await at_rest(service)
        await service.drained()
        found = await compare(self.sockets, bookie)
        broken = "" if code in {0, 4} else f"the former journal could not be drained: {out}"
        return ledger_row(found, "P28", drill, faults, broken)


@asynccontextmanager
async def ground(bookie: Bookie) -> AsyncIterator[Ground]:
    """Set up a database of its own and two places; nothing of it is left behind."""
    async with ledger_site(bookie) as place:
        data_dir = place.directory / "database"
        async with running_postgres(data_dir, ephemeral=True) as url:
            yield Ground(url=url, data_dir=data_dir, first=place.beside("first"), second=place.beside("second"))


async def two_at_once() -> Row:
    """Start a second service on the database of a first one: it ends with one sentence, and has changed nothing."""
    bookie = Bookie()
    async with ground(bookie) as there, there.first.service(database_url=there.url) as first:
        await first.ready()
        await bookie.more(_ANSWERS)
        async with there.second.service(database_url=there.url) as second:
            code = await asyncio.wait_for(second.process.wait(), _PATIENCE)
            sentences = [line for line in second.log().splitlines() if line.startswith("overround: ")]
        await bookie.more(_ANSWERS)
        await at_rest(first)
        await first.drained()
        found = await account(there.sockets, bookie)
        await first.end(signal.SIGTERM)
    refused = code == 1 and len(sentences) == 1 and "another service owns this database" in sentences[0]
    broken = "" if refused else f"the second start ended with {code}: {sentences}"
    return ledger_row(found, "P28", "two services at once", {"second starts": 1}, broken)


async def standby_takes_over() -> Row:
    """Kill a service that has a backlog, with a standby beside it, and drain the backlog while the standby serves."""
    bookie = Bookie(tariff=Tariff.REPEATING)
    async with ground(bookie) as there, there.first.service(database_url=there.url) as first:
        await first.ready()
        async with there.second.service(database_url=there.url, standby=True) as second:
            await second.until("/health/ready", lambda _, answer: answer and answer["status"] == "standby")
            await bookie.more(_ANSWERS)
            token = await there.owner()
            await at_rest(first)
            await first.end(signal.SIGKILL)
            await there.another_owner(token, second)
            await second.ready()
            row = await there.settle(second, bookie, "service killed, standby takes over", {"SIGKILL": 1})
            await second.end(signal.SIGTERM)
    return row


async def stopped_owner() -> Row:
    """Stop an owner past its lease under load, let the standby take over, and let the former one go on."""
    bookie = Bookie()
    async with ground(bookie) as there, there.first.service(database_url=there.url) as first:
        await first.ready()
        async with there.second.service(database_url=there.url, standby=True) as second:
            await bookie.more(_ANSWERS)
            token = await there.owner()
            first.process.send_signal(signal.SIGSTOP)
            await there.another_owner(token, second)
            await second.ready()
            await bookie.more(_ANSWERS)
            broken = await _ends_with_a_sentence(first, signal.SIGCONT)
            row = await there.settle(second, bookie, "owner stopped past its lease, goes on later", {"SIGSTOP": 1})
            await second.end(signal.SIGTERM)
    return msgspec.structs.replace(row, broken=", ".join(filter(None, (row.broken, broken))))


async def cut_off_owner() -> Row:
    """Cut an owner's network off without a word, let the standby take over, and mend the network."""
    bookie = Bookie()
    async with ground(bookie) as there:
        relay = Relay(Path(there.sockets))
        through = there.first.directory
        async with relay.running(through):
            url = there.url.replace(there.sockets, str(through))
            async with there.first.service(database_url=url) as first:
                await first.ready()
                async with there.second.service(database_url=there.url, standby=True) as second:
                    await bookie.more(_ANSWERS)
                    token = await there.owner()
                    relay.whole.clear()
                    await there.another_owner(token, second)
                    await second.ready()
                    await bookie.more(_ANSWERS)
                    relay.whole.set()
                    broken = await _ends_with_a_sentence(first)
                    # Both scraped meanwhile, as the design wants it: the former one went on journalling.
                    row = await there.settle(second, bookie, "owner's network cut", {"cuts": 1}, account_of_two)
                    await second.end(signal.SIGTERM)
    return msgspec.structs.replace(row, broken=", ".join(filter(None, (row.broken, broken))))


async def restarted_database() -> Row:
    """Crash PostgreSQL under an owner with a standby beside it: who survives it goes on owning."""
    bookie = Bookie()
    async with ground(bookie) as there, there.first.service(database_url=there.url) as first:
        await first.ready()
        async with there.second.service(database_url=there.url, standby=True) as second:
            await second.until("/health/ready", lambda _, answer: answer and answer["status"] == "standby")
            await bookie.more(_ANSWERS)
            token, before = await there.owner(), _postmaster(there.data_dir)
            os.kill(before, signal.SIGQUIT)
            await until(lambda: _postmaster(there.data_dir) not in {0, before}, "the server's restart")
            await bookie.more(2 * _ANSWERS)
            await at_rest(first)
            await first.drained()
            broken = "" if await there.owner() == token else "the standby took over from a living owner"
            found = await account(there.sockets, bookie)
            await second.end(signal.SIGTERM)
        await first.end(signal.SIGTERM)
    return ledger_row(found, "P28", "PostgreSQL crashed under owner and standby", {"crashes": 1}, broken)


async def clock_steps(seconds: float) -> Row:
    """Set the service's wall clock back and forward, for so long each, with prices that repeat."""
    bookie = Bookie(tariff=Tariff.REPEATING, kickoff=datetime(2100, 1, 1, tzinfo=UTC))
    faults: list[str] = []
    async with ledger_site(bookie) as site:
        file = site.directory / "clock"
        _set_clock(file, 0)
        place = site.beside("stepping", {CLOCK_FILE: str(file), "PYTHONPATH": str(_ROOT)})
        code = "from tests.crash.stepping import app, step_clocks; step_clocks(); app()"
        async with place.service(code=code) as service:
            await service.ready()
            await bookie.more(_ANSWERS)
            for name, step in _STEPS.items():
                _set_clock(file, step.total_seconds())
                faults += [f"{name}: {fault}" for fault in await _under_step(service, bookie, seconds)]
                _set_clock(file, 0)
                await bookie.more(_ANSWERS)
            await at_rest(service)
            await service.drained()
            found = await account(place.embedded, bookie)
            await service.end(signal.SIGTERM)
    return ledger_row(found, "P29", "wall clock set", dict.fromkeys(_STEPS, 1), "; ".join(faults))


async def _under_step(service: ServiceProcess, bookie: Bookie, seconds: float) -> list[str]:
    """Let cycles run under a wrong clock; return what is not as it should be."""
    await bookie.more(_ANSWERS)
    await service.until("/api/status", lambda _, answer: answer and _alerts(answer) >= {"clock_stepped"}, 10.0)
    await service.lasts(seconds)
    await bookie.more(_ANSWERS)
    events = (await service.events())["events"]
    ages = [one["age_seconds"] for event in events for one in event["bookmakers"].values() if one["listing_id"]]
    _, status = await service.ask("/api/status")
    told = _alerts(status)
    return [
        *([f"{len(events)} of {bookie.events} events are left"] if len(events) != bookie.events else []),
        *([f"ages from {min(ages)} to {max(ages)} s"] if ages and not 0 <= min(ages) <= max(ages) < _OLDEST else []),
        *(["prices count as stale"] if "prices_stale" in told else []),
    ]


def _set_clock(file: Path, seconds: float) -> None:
    """Set the clock in one step: a file that is half written would be no number."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds), "ascii")
    new.rename(file)


def _alerts(status: dict[str, list[dict[str, str]]]) -> set[str]:
    return {alert["code"] for alert in status["alerts"]}


async def _ends_with_a_sentence(service: ServiceProcess, how: signal.Signals | None = None) -> str:
    """Wait until a former owner has ended by itself; return what was wrong with that."""
    if how is not None:
        service.process.send_signal(how)
    code = await asyncio.wait_for(service.process.wait(), _PATIENCE)
    sentences = [line for line in service.log().splitlines() if line.startswith("overround: ")]
    ended = code == 1 and len(sentences) == 1 and "has taken the database over" in sentences[0]
    return "" if ended else f"the former owner ended with {code}: {sentences}"


def _postmaster(data_dir: Path) -> int:
    try:
        lines = (home_of(data_dir).cluster / "postmaster.pid").read_text("ascii").splitlines()
        return int(lines[0]) if lines[7].strip() == "ready" else 0
    except (OSError, ValueError, IndexError):
        return 0
