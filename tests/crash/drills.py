"""The drills of the light writer: each injects one kind of fault, and lets the oracle judge."""

import random
import signal
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.crash.arena import Arena, arena
from tests.crash.commit_cutter import running_cutter
from tests.crash.kill_points import KillPoint
from tests.crash.table import Row, row_of
from tests.crash.writer import JournalKind

_LONGEST_LIFE = 0.15  # seconds, from the fork: the youngest die while they recover
_KILL_POINT_LIMIT = 0.4  # seconds until a process that does not come past its point is killed all the same
_MOST_PASSES = 4
_MOST_APPENDS = 100
_BATCHES = 250  # of one life: about what it offers before it dies
_AT_RANDOM = "SIGKILL at a random moment"
_ANY_JOURNAL = (
    KillPoint.BEFORE_APPEND,
    KillPoint.BEFORE_ACK,
    KillPoint.BEFORE_TRANSACTION,
    KillPoint.BEFORE_RELEASE,
    KillPoint.AFTER_RELEASE,
)
_DISK = (KillPoint.IN_WRITE, KillPoint.BEFORE_SYNC, KillPoint.AFTER_SYNC, KillPoint.BEFORE_UNLINK)
_OFTEN = frozenset({KillPoint.BEFORE_APPEND, KillPoint.BEFORE_ACK})
KILL_POINTS: Mapping[JournalKind, Sequence[KillPoint]] = MappingProxyType(
    {JournalKind.MEMORY: _ANY_JOURNAL, JournalKind.SEGMENTED: (*_ANY_JOURNAL, *_DISK)}
)


async def kills(journal: JournalKind, number: int, seed: int) -> Row:
    """Kill a writer again and again, on the same journal and database, and let the last one drain."""
    chance = random.Random(seed)  # noqa: S311 - a drill must be repeatable
    faults: Counter[str] = Counter()
    async with arena(journal, seed) as place:
        for generation in range(number):
            faults[await _one_life(place, generation, chance)] += 1
        await place.drain(number)
        findings = await place.examine()
    control = journal is JournalKind.MEMORY
    drill = f"writer killed, {journal.value} journal"
    return row_of(findings, promise="P1 P2 P3 P9", drill=drill, faults=dict(faults), control=control)


async def _one_life(place: Arena, generation: int, chance: random.Random) -> str:
    """Let one writer live and die; return what it died of."""
    point = chance.choice((None, None, *KILL_POINTS[place.journal]))
    most = _MOST_APPENDS if point in _OFTEN else _MOST_PASSES
    plan = place.plan(generation, batches=_BATCHES, kill_point=point, passes=chance.randint(1, most))
    life = await place.zygote.spawn(plan)
    lives_on = await life.lasts(_KILL_POINT_LIMIT if point else chance.uniform(0, _LONGEST_LIFE))
    if lives_on:
        life.send(signal.SIGKILL)
    assert await life.end() == -signal.SIGKILL, "the writer ended by itself; it says why on stderr"
    return _AT_RANDOM if lives_on or point is None else f"SIGKILL {point.value}"


async def lost_commit_replies(journal: JournalKind, number: int, seed: int) -> Row:
    """Cut the connection between a COMMIT and its reply, again and again, under load."""
    async with arena(journal, seed) as place:
        with tempfile.TemporaryDirectory(prefix="overround-cut-") as directory:
            async with running_cutter(Path(directory), place.sockets, number, seed) as cutter:
                life = await place.zygote.spawn(place.plan(0, sockets=directory))
                await cutter.done()
                await place.progress(life)
                await place.stop(life)
        findings = await place.examine()
    faults = {"COMMIT applied, reply cut off": cutter.cut}
    return row_of(findings, promise="P2", drill=f"COMMIT replies lost, {journal.value} journal", faults=faults)


async def immediate_stops(journal: JournalKind, number: int, seed: int) -> Row:
    """Crash PostgreSQL under load, again and again; it is started again by its owner."""
    chance = random.Random(seed)  # noqa: S311 - a drill must be repeatable
    async with arena(journal, seed) as place:
        life = await place.zygote.spawn(place.plan(0))
        for _ in range(number):
            await place.progress(life)
            await life.lasts(chance.uniform(0, _LONGEST_LIFE))
            await place.stop_postgres_at_once()
        await place.progress(life)
        await place.stop(life)
        findings = await place.examine()
    faults = {"immediate stop of PostgreSQL": number}
    return row_of(findings, promise="P1 P2 P12", drill=f"PostgreSQL crashed, {journal.value} journal", faults=faults)
