"""Judges the report of two demo cycles over unchanging recordings, read from stdin: nothing new, nothing lost."""

import sys
from collections.abc import Iterator, Mapping

import msgspec

_CYCLES = 2


class _Cycle(msgspec.Struct, frozen=True):
    events: int
    snapshots: int
    changed: int
    unchanged: int
    failed: int


class _Queue(msgspec.Struct, frozen=True):
    pending: int
    dead_lettered: int


class _Report(msgspec.Struct, frozen=True):
    cycles: tuple[_Cycle, ...]
    queue: _Queue
    database: Mapping[str, int]
    integrity: Mapping[str, int]


def objections(body: bytes) -> Iterator[str]:
    """Yield what is wrong with a report of two cycles over unchanging recordings.

    Raises:
        msgspec.DecodeError: it is not such a report at all.
    """
    report = msgspec.json.decode(body, type=_Report)
    if len(report.cycles) != _CYCLES:
        yield f"{len(report.cycles)} cycles instead of {_CYCLES}"
    for number, cycle in enumerate(report.cycles, 1):
        if cycle.failed or not cycle.events or not cycle.snapshots:
            yield f"cycle {number} is not whole: {cycle}"
    if report.cycles and (report.cycles[-1].changed or report.cycles[-1].unchanged != report.cycles[-1].snapshots):
        yield f"the last cycle found something new: {report.cycles[-1]}"
    if report.queue.pending or report.queue.dead_lettered:
        yield f"batches are left: {report.queue}"
    if any(report.integrity.values()) or not report.integrity:
        yield f"cache and database differ: {report.integrity}"
    yield from (f"the database has no {table}" for table, rows in report.database.items() if not rows)


def main() -> int:
    """Print the objections; return 1 if there is one."""
    found = list(objections(sys.stdin.buffer.read()))
    sys.stdout.writelines(f"demo: {objection}\n" for objection in found or ["as expected"])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
