"""How many file descriptors the process may open, and how they are shared out.

Journal, database and fetchers come first: their descriptors are set aside, and connections of clients share the rest.
"""

import resource
from typing import Final

import msgspec

MOST_STREAMS: Final = 1000
"""Clients of live streams that are served where there are descriptors enough."""

_MOST_CONNECTIONS: Final = 10_000  # more would cost memory, and nobody has so many desks
_LEAST_CONNECTIONS: Final = 16
_PROCESS: Final = 64  # event loop, log, resolver, libraries, the command's own files
_DATABASE: Final = 20  # pool and overflow, ownership, migrations, maintenance
_JOURNAL: Final = 4  # lock, directory, spare file, the segment that is begun
_SEGMENT_BYTES: Final = 16 << 20
_MOST_FETCHES: Final = 200
_FEWEST_FETCHES: Final = 100
_PLENTY: Final = 4096  # descriptors; below it the fetchers share what their limits add up to
_ORDINARY_PART: Final = 16  # of the connections, one in so many is kept for requests that are no streams
_ORDINARY: Final = 48


class DescriptorRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The limits on open files (`soft` after it was raised to `hard`), and how they are shared out.

    `reserved` descriptors are set aside for everything but clients; `fetches` of them are the connections that all
    bookmakers share. `connections` of clients may be open at once, `streams` of them live streams. `reason` says
    why there are fewer streams than `MOST_STREAMS`, and is empty where there are not.
    """

    soft: int
    hard: int
    reserved: int
    fetches: int
    connections: int
    streams: int
    reason: str = ""


def raise_descriptor_limit() -> tuple[int, int]:
    """Raise the soft limit on open files to the hard one; return both as they are then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # a kernel that allows less than it says: the soft limit stays
            return _finite(soft), _finite(hard)
    return _finite(hard), _finite(hard)


def shared_out(soft: int, hard: int, *, journal_bytes: int, fetches: int) -> DescriptorRoom:
    """Share out the descriptors of a process.

    `journal_bytes` is the size that the journal may reach, `fetches` the sum of the bookmakers' concurrency limits.
    """
    at_least = _MOST_FETCHES if soft >= _PLENTY else _FEWEST_FETCHES
    most_fetches = max(at_least, min(fetches, _MOST_FETCHES))
    reserved = _PROCESS + _DATABASE + _JOURNAL + journal_bytes // _SEGMENT_BYTES + most_fetches
    connections = min(_MOST_CONNECTIONS, max(_LEAST_CONNECTIONS, soft - reserved))
    ordinary = max(connections // _ORDINARY_PART, min(_ORDINARY, connections // 2))
    streams = min(MOST_STREAMS, connections - ordinary)
    reason = ""
    if streams < MOST_STREAMS:
        reason = f"the limit on open files is {soft}, and {reserved} of them are kept for journal, database, bookmakers"
    return DescriptorRoom(
        soft=soft,
        hard=hard,
        reserved=reserved,
        fetches=most_fetches,
        connections=connections,
        streams=streams,
        reason=reason,
    )


def _finite(limit: int) -> int:
    return 1 << 30 if limit == resource.RLIM_INFINITY else limit
