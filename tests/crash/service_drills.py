"""The drills of the real service."""

import random
import signal
from collections import Counter

from overround.db.embedded import running_postgres
from overround.db.server_home import home_of
from tests.crash.journalled import Journalled, behind, journalled_states
from tests.crash.service import ServiceProcess, Site, site, write_batches
from tests.crash.table import Row

_LONGEST_LIFE = 2.0  # seconds, from when it is ready: more than a cycle
_REST_OF_CYCLE = 0.3  # seconds, from the first batches on: less than the demo's cycle takes
_NOBODY = "postgresql://overround@/overround?host=/nowhere"
_MOST_GROWTH = 20_000_000  # bytes
_MOST_SECONDS_TO_DRAIN = 10.0
_AT_ONCE = 2.0  # seconds


async def service_kills(number: int, seed: int) -> Row:
    """Kill the service with its embedded database, again and again, while it scrapes prices that move."""
    chance = random.Random(seed)  # noqa: S311 - a drill must be repeatable
    async with site() as place:
        for _ in range(number):
            async with place.service() as service:
                await service.ready()
                await service.lasts(chance.uniform(0, _LONGEST_LIFE))
                await service.end(signal.SIGKILL)
        async with place.service(cycles=False) as service:
            row = await _account(place, service, place.embedded)
            await service.end(signal.SIGTERM)
    return _row(row, "P1 P2", "service killed, with its database", {"SIGKILL at a random moment": number})


async def demo_kills(number: int, seed: int) -> Row:
    """Kill `overround demo` in the middle of a cycle, again and again: the next one starts with what was journalled."""
    chance = random.Random(seed)  # noqa: S311 - a drill must be repeatable
    faults: list[str] = []
    journalled: Journalled = {}
    async with site() as place:
        for _ in range(number):
            async with place.demo() as service:
                faults += behind(await service.events(), journalled)
                await _more_acks(place, service, 2)
                await service.lasts(chance.uniform(0, _REST_OF_CYCLE))
                await service.end(signal.SIGKILL)
            journalled = await journalled_states(place.data_dir)
        async with place.demo() as service:
            faults += behind(await service.events(), journalled)
            await service.ask("/api/scheduler/pause", method="POST")
            runs = await service.until("/api/scrape/runs", lambda _, answer: _all_ended(answer))
            row = await _account(place, service, place.embedded)
            await service.end(signal.SIGTERM)
    interrupted = sum(run["status"] == "interrupted" for run in runs["runs"])
    notes = f"{interrupted} in the middle of a cycle"
    return _row(
        row, "P1 P2", "demo killed, first answers after it", {"SIGKILL": number}, broken="; ".join(faults), notes=notes
    )


async def first_answers() -> Row:
    """Kill a service whose prices are in the journal alone: the next one shows them in its first answer."""
    async with site() as place:
        async with place.service(cycles=True, database_url=_NOBODY) as service:
            await service.until("/api/events", lambda status, answer: status == 200 and answer["total"] > 0)
            await service.until("/api/queue", lambda status, answer: status == 200 and answer["pending"] > 3)
            await service.ask("/api/scheduler/pause", method="POST")
            await service.until("/api/scrape/runs", lambda _, answer: _all_ended(answer))
            before = await service.prices()
            await service.end(signal.SIGKILL)
        async with place.service(cycles=False) as service:
            shown = await service.prices()
            row = await _account(place, service, place.embedded)
            await service.end(signal.SIGTERM)
    broken = "" if shown == before and before else "the first answer does not show the journalled prices"
    return _row(row, "P1", "first answer after a kill, prices journalled only", {"SIGKILL": 1}, broken=broken)


def _all_ended(answer: object) -> bool:
    return isinstance(answer, dict) and bool(answer["runs"]) and all(run["finished_at"] for run in answer["runs"])


async def outage(seconds: float) -> Row:
    """Take the database away under load: the service scrapes and answers, and makes good when it is back."""
    async with site() as place:
        data_dir = place.directory / "elsewhere"
        sockets = str(home_of(data_dir).sockets)
        try:
            async with running_postgres(data_dir) as url:
                service_context = place.service(database_url=url)
                service = await service_context.__aenter__()
                await service.ready()
                await _more_runs(service, 3)
            broken, growth = await _without_database(service, seconds)
            async with running_postgres(data_dir):
                await service.ask("/api/scheduler/pause", method="POST")
                await service.until("/health/ready", lambda status, _: status == 200, _MOST_SECONDS_TO_DRAIN)
                row = await _account(place, service, sockets)
                await service.end(signal.SIGTERM)
                await service_context.__aexit__(None, None, None)
        finally:
            home_of(data_dir).remove()
    notes = f"away for {seconds:g} s, memory grew by {growth / 1e6:.1f} MB"
    return _row(row, "P7", "database away under load", {"database stopped": 1}, broken=broken, notes=notes)


async def _without_database(service: ServiceProcess, seconds: float) -> tuple[str, int]:
    """Watch a service that has lost its database; return what it failed in, and the growth of its memory."""
    before, runs = service.memory(), await service.finished_runs()
    await service.lasts(seconds)
    growth = service.memory() - before
    live, _ = await service.ask("/health/live")
    _, readiness = await service.ask("/health/ready")
    shown = await service.prices()
    faults = {
        "not live": live != 200,
        "says that it is ready": readiness["status"] == "ready",
        "shows no prices": not shown,
        "does not scrape": await service.finished_runs() <= runs,
        f"memory grew by {growth:,} bytes": growth > _MOST_GROWTH,
    }
    return ", ".join(fault for fault, present in faults.items() if present), growth


async def stops(how: signal.Signals) -> Row:
    """Ask a busy service to stop: it drains, in its time, and its report adds up."""
    async with site() as place:
        async with place.service() as service:
            await service.ready()
            await _more_runs(service, 2)
            code = await service.end(how)
            report = service.logged("write_queue_stopped")
        came = report["accepted_snapshots"] + report.get("recovered_snapshots", 0)
        went = sum(value for name, value in report.items() if name in _WENT)
        async with place.service(cycles=False) as service:
            row = await _account(place, service, place.embedded)
            await service.end(signal.SIGTERM)
    faults = {
        f"exit code {code}": code != 0,
        f"{came} came, {went} went": came != went,
        f"{report['pending']} left": report["pending"] > 0,
    }
    broken = ", ".join(fault for fault, present in faults.items() if present)
    return _row(row, "P17", f"{how.name} under load", {how.name: 1}, broken=broken)


_WENT = frozenset({"applied_snapshots", "dead_snapshots", "settled_snapshots", "left_snapshots"})


async def second_signal() -> Row:
    """Signal twice a service that cannot drain: it exits at once, and the next one finds all in the journal."""
    async with site() as place:
        async with place.service(database_url=_NOBODY) as service:
            await service.until("/api/queue", lambda status, answer: status == 200 and answer["pending"] > 3)
            service.process.send_signal(signal.SIGTERM)
            await service.lasts(0.2)
            still = service.process.returncode is None
            code = await service.end(signal.SIGTERM, _AT_ONCE)
        async with place.service(cycles=False) as service:
            await service.ready()
            row = await _account(place, service, place.embedded)
            await service.end(signal.SIGTERM)
    broken = "" if still and code == 130 else f"ended with {code}, {'' if still else 'before the second signal'}"
    return _row(row, "P17", "second signal while draining", {"SIGTERM": 2}, broken=broken)


async def _more_acks(place: Site, service: ServiceProcess, number: int) -> None:
    target = len(place.acknowledged()) + number
    await service.until("/health/live", lambda *_: len(place.acknowledged()) >= target)


async def _more_runs(service: ServiceProcess, number: int) -> None:
    target = await service.finished_runs() + number
    await service.until(
        "/api/scrape/runs",
        lambda _, answer: (
            answer is not None and any(run["run_id"] >= target and run["finished_at"] for run in answer["runs"])
        ),
    )


async def _account(place: Site, service: ServiceProcess, sockets: str) -> dict[str, int]:
    """Let a service drain, and compare the log of acknowledgements with what the database has."""
    await service.ready()
    await service.drained()
    applied = Counter(await write_batches(sockets))
    acked = place.acknowledged()
    _, integrity = await service.ask("/api/integrity", method="POST")
    return {
        "batches": len(acked),
        "snapshots": sum(count for _, _, count, _ in acked),
        "lost": sum(max(1, line[2]) for line in acked if not applied[line]) + integrity["lost"],
        "doubled": sum(times - 1 for times in applied.values()) + integrity.get("doubled", 0),
        "extra": integrity["extra"],
    }


def _row(
    account: dict[str, int], promise: str, drill: str, faults: dict[str, int], *, broken: str = "", notes: str = ""
) -> Row:
    if account["extra"]:
        broken = f"{broken} {account['extra']} markets that the cache has not".strip()
    if not account["batches"]:
        broken = f"{broken} nothing was acknowledged".strip()
    return Row(
        promise=promise,
        drill=drill,
        trials=f"{account['batches']:,} batches, {account['snapshots']:,} snapshots acknowledged",
        faults=faults,
        lost=account["lost"],
        doubled=account["doubled"],
        broken=broken,
        notes=notes,
    )
