"""Everything that an operator would look at, looked at: what is well, what is not, and what to do about it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.bookmakers.routes import held, seconds_since_success
from overround.api.operations.alerts import reasons
from overround.api.state import ApiState, State
from overround.pricing.coverage import summed
from overround.records.batch import RunStatus, ScrapeRun
from overround.storage.disk_room import DiskRoom, disk_room
from overround.upkeep.health import PARTS, REMEDIES, Reason, Severity

router = APIRouter(prefix="/api/doctor", tags=["status"])

OK = "ok"
WARNING = Severity.WARNING.value
CRITICAL = Severity.CRITICAL.value
_BY_URGENCY = (CRITICAL, WARNING, OK)

_LATE_SECONDS = 0.1
_LEAST_MAPPED = 0.9

# What is no health reason, and yet worth a look.
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "low_disk": "free space: without any, prices are shown and not stored",
        "paused": "POST /api/scheduler/resume",
        "nothing_cached": "start a run, and look at its errors: POST /api/scrape/start",
        "run_failed": "GET /api/scrape/runs/{id} has the failures one by one",
        "late": "look at the machine's load first",
        "unmapped": "`overround markets coverage` names what is not mapped",
        "few_descriptors": "raise the hard limit on open files (LimitNOFILE=, ulimit -Hn) and restart",
    }
)


class CheckView(BaseModel):
    """One part of the service: ok, warning or critical, with what there is to say and, if it is not ok, to do."""

    part: str
    state: str
    text: str
    remedy: str = ""


class Diagnosis(BaseModel):
    """All parts; `state` is the worst of theirs."""

    checked_at: datetime
    version: str
    state: str
    checks: list[CheckView]


@router.get("")
async def diagnose(state: State) -> Diagnosis:
    """Return what is well and what is not; asks neither bookmakers nor the database."""
    found = [_of_reason(reason) for reason in reasons(state)]
    found += _beside(state)
    ailing = {check.part for check in found}
    checks = [*found, *(check for check in _well(state) if check.part not in ailing)]
    return Diagnosis(checked_at=state.clock.now(), version=state.version, state=worst(checks), checks=checks)


def worst(checks: list[CheckView]) -> str:
    """Return the most urgent state of some checks."""
    return min((check.state for check in checks), key=_BY_URGENCY.index, default=OK)


def disk_checks(rooms: list[DiskRoom]) -> Iterator[CheckView]:
    """Yield a check for each disk that something is written to."""
    for room in rooms:
        text = f"{room.free / 2**30:.1f} GiB free for {room.place}"
        if room.short:
            yield _ailing("disk", "low_disk", text, CRITICAL)
        else:
            yield CheckView(part="disk", state=OK, text=text)


def _of_reason(reason: Reason) -> CheckView:
    return CheckView(
        part=PARTS[reason.code], state=reason.severity.value, text=reason.text, remedy=REMEDIES[reason.code]
    )


def _ailing(part: str, code: str, text: str, state: str = WARNING) -> CheckView:
    return CheckView(part=part, state=state, text=text, remedy=_REMEDIES[code])


def _beside(state: ApiState) -> Iterator[CheckView]:
    """Yield what is no alert and yet worth a look to whoever asks what is wrong."""
    yield from disk_checks(disk_room(state.places))
    if state.descriptors.reason:
        yield _ailing("connections", "few_descriptors", f"{_room_text(state)}: {state.descriptors.reason}")
    if state.scheduler.status().paused:
        yield _ailing("schedule", "paused", "the schedule is paused: nothing is scraped by itself")
    if not state.cache.stats().events:
        yield _ailing("cache", "nothing_cached", "there is no event with prices")
    ended = _newest_ended(state)
    if ended is not None and ended.status is not RunStatus.COMPLETED:
        yield _ailing("runs", "run_failed", _run_text(ended))
    late = state.loop_lag.lag().p99
    if late > _LATE_SECONDS:
        yield _ailing("event_loop", "late", f"one sleep in a hundred ended {late * 1000:.0f} ms late or more")
    for found in summed(state.coverage.events()):
        if found.share is not None and found.share < _LEAST_MAPPED:
            text = f"{found.bookmaker}, {found.sport}: {found.share:.0%} of what it offers is mapped"
            yield _ailing("mapping", "unmapped", text)


def _well(state: ApiState) -> Iterator[CheckView]:
    """Yield what there is to say of each part that is well."""
    size = state.maintenance.growth.newest
    yield _fine("database", "it answers" if size is None else f"it answers, and holds {size / 2**20:.0f} MiB")
    cache = state.cache.stats()
    yield _fine("cache", f"{cache.events} events, {cache.markets} markets")
    if state.write_queue is not None:
        stats = state.write_queue.stats()
        yield _fine("writer", f"{stats.written} batches written, {stats.pending} wait")
        yield _fine("journal", f"{stats.fill_percent} % full")
        yield _fine("dead_letters", "none since the start")
        yield _fine("held_rows", "no bookmaker's rows are held back")
    report = state.integrity.last
    compared = report is not None and report.compared
    yield _fine("integrity", f"{compared} markets agree" if compared else "nothing was there to compare yet")
    yield _fine("schedule", _schedule_text(state))
    ended = _newest_ended(state)
    yield _fine("runs", "none has ended yet" if ended is None else _run_text(ended))
    yield _fine("bookmakers", _bookmakers_text(state))
    yield _fine("connections", f"{state.connections.figures().open} are open; {_room_text(state)}")
    yield _fine("event_loop", f"99 of 100 sleeps end within {state.loop_lag.lag().p99 * 1000:.0f} ms")
    yield _fine("mapping", f"at least {_LEAST_MAPPED:.0%} of what each bookmaker offers is mapped")


def _fine(part: str, text: str) -> CheckView:
    return CheckView(part=part, state=OK, text=text)


def _room_text(state: ApiState) -> str:
    room = state.descriptors
    return f"at most {room.connections} connections, {room.streams} of them live streams, with {room.soft} open files"


def _schedule_text(state: ApiState) -> str:
    seconds = state.scheduler.status().seconds_to_next_run
    return "it is off: runs are started by request" if seconds is None else f"the next run begins in {seconds:.0f} s"


def _bookmakers_text(state: ApiState) -> str:
    holdings = held(state)
    known = ((name, seconds_since_success(state, slug, holdings[slug])) for slug, name in state.bookmakers.items())
    ages = (f"{name}: {'never' if age is None else f'{age:.0f} s ago'}" for name, age in known)
    return f"newest prices: {', '.join(ages)}"


def _newest_ended(state: ApiState) -> ScrapeRun | None:
    return next((run for run in state.control.runs() if run.status is not RunStatus.RUNNING), None)


def _run_text(run: ScrapeRun) -> str:
    errors = ", ".join(f"{count} {name}" for name, count in sorted(run.errors.items())) or "no errors"
    return f"run {run.run_id} ({run.kind.value}) is {run.status.value}: {run.events} events, {errors}"
