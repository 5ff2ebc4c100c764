"""The whole bench at full length: `python -m tests.crash` prints one table, and fails where a promise was broken."""

import argparse
import asyncio
import logging
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import aiohttp
import structlog

from tests.crash.backlog import large_backlog
from tests.crash.drills import immediate_stops, kills, lost_commit_replies
from tests.crash.journal_drills import (
    TAKEN_AWAY,
    descriptors_used_up,
    files_taken_away,
    stops_while_served,
    unreadable_at_start,
)
from tests.crash.owner_drills import (
    clock_steps,
    cut_off_owner,
    restarted_database,
    standby_takes_over,
    stopped_owner,
    two_at_once,
)
from tests.crash.poison_drills import nul_in_names, refused_content
from tests.crash.reign_drills import database_put_back, journal_put_back, journals_in_turns
from tests.crash.room_drills import crowded
from tests.crash.service_drills import demo_kills, first_answers, outage, second_signal, service_kills, stops
from tests.crash.table import Row, rendered
from tests.crash.writer import JournalKind

_WRITER_KILLS, _SERVICE_KILLS, _CONTROL_KILLS = 980, 20, 100
_DEMO_KILLS = 10
_STOPS = 10
_LOST_REPLIES, _DATABASE_CRASHES = 200, 20
_BACKLOG = 1_000_000_000  # bytes
_OUTAGE = 60.0  # seconds
_CLOCK_STEP = 600.0  # seconds, each
_CLIENTS = 2000

Drill = Callable[[], Awaitable[Row]]


def _drills(seed: int, share: float) -> Sequence[tuple[str, Drill]]:
    """Return the drills; `share` is the part of the full numbers that is run."""

    def some(number: int) -> int:
        return max(1, round(number * share))

    durable, memory = JournalKind.SEGMENTED, JournalKind.MEMORY
    return (
        ("writer killed", lambda: kills(durable, some(_WRITER_KILLS), seed)),
        ("writer killed, journal in memory", lambda: kills(memory, some(_CONTROL_KILLS), seed)),
        ("COMMIT replies lost", lambda: lost_commit_replies(durable, some(_LOST_REPLIES), seed)),
        ("PostgreSQL crashed", lambda: immediate_stops(durable, some(_DATABASE_CRASHES), seed)),
        ("service killed", lambda: service_kills(some(_SERVICE_KILLS), seed)),
        ("demo killed", lambda: demo_kills(some(_DEMO_KILLS), seed)),
        ("first answer after a kill", first_answers),
        ("large backlog", lambda: large_backlog(some(_BACKLOG), seed)),
        ("database away", lambda: outage(_OUTAGE * share)),
        ("SIGTERM", lambda: stops(signal.SIGTERM)),
        ("SIGINT", lambda: stops(signal.SIGINT)),
        ("second signal", second_signal),
        ("two services at once", two_at_once),
        ("standby takes over", standby_takes_over),
        ("owner stopped", stopped_owner),
        ("owner cut off", cut_off_owner),
        ("PostgreSQL crashed under a standby", restarted_database),
        ("clock steps", lambda: clock_steps(_CLOCK_STEP * share)),
        ("crowd of clients", lambda: crowded(some(_CLIENTS), 1024, 4096, some(1000))),
        ("crowd of clients, few descriptors", lambda: crowded(some(_CLIENTS), 1024, 1024, some(700))),
        ("NUL in 20 % of the names", lambda: nul_in_names(20, others=True)),
        ("NUL in 20 % of the names, alone", lambda: nul_in_names(20, others=False)),
        ("NUL in every name", lambda: nul_in_names(100, others=True)),
        ("NUL in every name, alone", lambda: nul_in_names(100, others=False)),
        ("refused content", lambda: refused_content(others=True)),
        ("refused content, alone", lambda: refused_content(others=False)),
        ("stopped while served", lambda: stops_while_served(some(_STOPS))),
        ("descriptors used up", descriptors_used_up),
        ("journal not readable", unreadable_at_start),
        ("database put back, under load", lambda: database_put_back(frozen=False)),
        ("database put back, prices stand still", lambda: database_put_back(frozen=True)),
        ("journal from a copy", journal_put_back),
        ("data directories in turns", journals_in_turns),
        *((f"journal's files {how}", partial(files_taken_away, how)) for how in TAKEN_AWAY),
    )


async def _run(seed: int, share: float, wanted: str) -> list[Row]:
    rows = []
    for name, drill in _drills(seed, share):
        if wanted in name:
            print(f"{name} ...", file=sys.stderr, flush=True)  # noqa: T201 - the command's progress
            rows.append(await _row_of(name, drill))
    return rows


async def _row_of(name: str, drill: Drill) -> Row:
    """Run a drill; one that cannot be carried through is a broken promise too, and does not cost the others."""
    try:
        return await drill()
    except (AssertionError, TimeoutError, OSError, aiohttp.ClientError) as error:
        traceback.print_exc()
        reason = f"not carried through: {error}".splitlines()[0]
        return Row(promise="-", drill=name, trials="-", faults={}, broken=reason)


def main() -> int:
    """Run the bench; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="make crash", description="Kill processes, and look for what is lost.")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--share", type=float, default=1.0, help="part of the full numbers to run")
    parser.add_argument("--only", default="", help="drills whose name holds this text")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows = asyncio.run(_run(options.seed, options.share, options.only))
    print(rendered(rows))  # noqa: T201 - the command's result
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
