"""The drills of the journal's files: what happens to them from outside, judged by the bookmaker's own ledger."""

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import aiohttp
import msgspec

from overround.db.embedded import running_postgres
from overround.db.server_home import home_of
from tests.crash.account import Account, account
from tests.crash.bookie import Bookie
from tests.crash.service import ServiceProcess, Site, ledger_site
from tests.crash.table import Row

NOBODY = "postgresql://overround@/overround?host=/nowhere"
_DESCRIPTORS = 512
_IDLE = 700  # connections
_ANSWERS = 240  # of the bookmaker, before and after what is done to the journal: some cycles of all its events
_REFUSED_WITHIN = 5.0  # seconds of the processor, so that other work on the machine does not count
_PATIENCE = 60.0  # seconds
_MANY_EVENTS = 400
_SLOWLY = MappingProxyType({"OVERROUND_BOOKMAKERS__BETPAWA__MIN_INTERVAL_MS": "5"})  # two seconds a cycle
_NO_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


async def descriptors_used_up() -> Row:
    """Use the service's descriptors up with idle connections while it scrapes."""
    bookie = Bookie()
    async with ledger_site(bookie) as place:
        limited = ("prlimit", f"--nofile={_DESCRIPTORS}:{_DESCRIPTORS}")
        async with place.service(under=limited) as service:
            await service.ready()
            await bookie.more(_ANSWERS)
            async with _idle_connections(service.port, _IDLE):
                await bookie.more(2 * _ANSWERS)
            await _answers_again(service)
            found = await settled(service, bookie, place.embedded)
            damaged = "journal_damage" in service.log()
            await service.end(signal.SIGTERM)
    broken = "damage is reported where the disk is whole" if damaged else ""
    return ledger_row(found, "P6 P23", "descriptors used up by idle connections", {"idle connections": _IDLE}, broken)


async def unreadable_at_start() -> Row:
    """Take the right to read the journal away between two processes, and give it back."""
    bookie = Bookie()
    async with ledger_site(bookie) as place:
        await _only_journalled(place, bookie)
        elsewhere = place.directory / "elsewhere"
        try:
            async with running_postgres(elsewhere) as url:
                broken = await _refused(place, url)
                found = await delivered(place, bookie, url, str(home_of(elsewhere).sockets))
        finally:
            home_of(elsewhere).remove()
    return ledger_row(found, "P24", "journal not readable at the start", {"files without the right to read": 1}, broken)


async def _refused(place: Site, url: str) -> str:
    """Start a service that may not read the journal; return what was wrong with its refusal."""
    before = _contents(place)
    _forbid(place, forbidden=True)
    async with place.service(cycles=False, database_url=url, under=_unprivileged()) as service:
        spent = _cpu_seconds_of_children()
        code = await _exit_code(service)
        took = _cpu_seconds_of_children() - spent
        sentences = [line for line in service.log().splitlines() if line.startswith("overround: ")]
    _forbid(place, forbidden=False)
    faults = {
        f"exit code {code}": code != 1,
        f"refused after {took:.1f} s of the processor": took > _REFUSED_WITHIN,
        f"{len(sentences)} sentences": len(sentences) != 1 or "journal" not in sentences[0],
        "the journal was changed": _contents(place) != before,
    }
    return ", ".join(fault for fault, present in faults.items() if present)


async def files_taken_away(how: str) -> Row:
    """Remove or replace the files of a running service's journal; it is killed after the next acknowledgements."""
    bookie = Bookie()
    async with ledger_site(bookie) as place:
        await _only_journalled(place, bookie, TAKEN_AWAY[how])
        found = await delivered(place, bookie)
    return ledger_row(found, "P24", f"journal's files {how}", {f"files {how}": 1})


async def stops_while_served(number: int) -> Row:
    """Stop services in the middle of a cycle: they receive what they asked for, and store it."""
    bookie = Bookie(_MANY_EVENTS)
    async with ledger_site(bookie) as asked_at_once:
        place = msgspec.structs.replace(asked_at_once, settings={**asked_at_once.settings, **_SLOWLY})
        for trial in range(number):
            async with place.service() as service:
                await service.ready()
                await bookie.more(_ANSWERS + 7 + 11 * trial)
                await service.end(signal.SIGTERM)
        found = await delivered(place, bookie)
    return ledger_row(found, "P17", "stopped in the middle of a cycle", {"SIGTERM": number})


def _unlink(folder: Path) -> None:
    for path in folder.glob("*.journal"):
        path.unlink()


def _replace(folder: Path) -> None:
    for path in folder.glob("*.journal"):
        other = path.with_suffix(".other")
        other.write_bytes(b"not a journal" * 100)
        other.rename(path)


TAKEN_AWAY: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {"unlinked": _unlink, "replaced": _replace, "removed with their folder": shutil.rmtree}
)


async def _only_journalled(place: Site, bookie: Bookie, take_away: Callable[[Path], None] | None = None) -> None:
    """Let a service without a database scrape, kill it when all that was served is journalled."""
    async with place.service(database_url=NOBODY) as service:
        await service.until("/health/live", lambda status, _: status == 200)
        await bookie.more(_ANSWERS)
        if take_away is not None:
            take_away(place.data_dir / "journal")
            await bookie.more(_ANSWERS)
        await at_rest(service)
        await service.end(signal.SIGKILL)


async def delivered(place: Site, bookie: Bookie, url: str = "", sockets: str = "") -> Account:
    """Let the next service deliver what the journal holds to its own database, or to another, and compare."""
    async with place.service(cycles=False, database_url=url) as service:
        await service.ready()
        found = await settled(service, bookie, sockets or place.embedded)
        await service.end(signal.SIGTERM)
    return found


async def settled(service: ServiceProcess, bookie: Bookie, sockets: str) -> Account:
    """Let the service come to rest and write what it has, and compare."""
    await at_rest(service)
    await service.drained()
    return await account(sockets, bookie)


async def at_rest(service: ServiceProcess) -> None:
    """Let no further cycle begin, and the present one end: from then on the bookmaker is not asked."""
    await service.ask("/api/scheduler/pause", method="POST")
    await service.until(
        "/api/scrape/runs",
        lambda status, answer: status == HTTPStatus.OK and all(run["finished_at"] for run in answer["runs"]),
    )


@asynccontextmanager
async def _idle_connections(port: int, number: int) -> AsyncIterator[None]:
    """Hold connections on which nothing is ever sent; what the service does not take waits in the kernel."""
    async with AsyncExitStack() as stack:
        for _ in range(number):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
        yield


async def _answers_again(service: ServiceProcess) -> None:
    """Wait until the service takes connections again."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with suppress(aiohttp.ClientError):
                return await service.ready()


async def _exit_code(service: ServiceProcess) -> int | None:
    """Return the exit code of a service that is expected to end by itself; None where it serves instead."""
    try:
        await service.ready()
    except AssertionError:  # it ended without an address
        return await asyncio.wait_for(service.process.wait(), _PATIENCE)
    await service.drained()
    return None


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _unprivileged() -> tuple[str, ...]:
    return _NO_PRIVILEGE if os.geteuid() == 0 else ()


def _forbid(place: Site, *, forbidden: bool) -> None:
    for path in (place.data_dir / "journal").glob("*.journal"):
        if os.geteuid() == 0:
            os.chown(path, 65534 if forbidden else 0, -1)
        else:
            path.chmod(0 if forbidden else 0o600)


def _contents(place: Site) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (place.data_dir / "journal").glob("*.journal")}


def ledger_row(found: Account, promise: str, drill: str, faults: dict[str, int], broken: str = "") -> Row:
    """Return a drill's row of the table."""
    wrong = {"invented": found.invented, "latest prices not the newest": found.wrong_latest}
    words = [broken, *(f"{count} {what}" for what, count in wrong.items() if count)]
    return Row(
        promise=promise,
        drill=drill,
        trials=f"{found.served:,} prices served, {found.stored:,} stored",
        faults=faults,
        lost=found.lost if found.served else -1,
        doubled=found.doubled,
        broken=", ".join(filter(None, words)),
    )
