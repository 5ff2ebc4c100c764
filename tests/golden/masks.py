"""The written list of values that differ from run to run, each with the reason.

A path names members of objects and elements of arrays, with `/` between; `*` stands for any one of them.
The value is replaced by its kind, so that a value of another kind is still a difference.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import msgspec

Json = Any


class Mask(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is left out of the comparison.

    `request` is a pattern of method and path. `part` is the regular expression of the part of a text that
    differs; without it, the whole value does.
    """

    request: str = "*"
    path: str
    reason: str
    part: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A list whose order differs from run to run; it is compared sorted."""

    request: str
    path: str
    reason: str


class Omission(msgspec.Struct, frozen=True, kw_only=True):
    """Elements of a list that are there, or stand elsewhere, as the machine is; known by a member's values."""

    request: str
    path: str
    member: str
    values: frozenset[str]
    reason: str


_DURATION = "a duration on this machine"
_AGE = "an age is measured by a clock that does not stand still"
_ARRIVAL = "the order in which answers arrive"
_EPOCH = "holds the journal's id or epoch, which no other run has"
_LIFE = "holds the start of this process, and counts messages whose number depends on a run's duration"
_GROUPS = "depends on which batches happened to be committed together"
_LAST_SUMS = "the last sums are told just before or just after the batch is stored; `stored` has them exactly"
_ZLIB = "depends on the release of zlib"

MASKS: Sequence[Mask] = (
    Mask(path="headers/x-request-id", reason="a random id for each request"),
    Mask(path="headers/etag", reason="holds the start of this process"),
    Mask(path="headers/set-cookie", reason="a random session token", part=r'(?<=overround_session=)[^;"]+'),
    Mask(path="headers/set-cookie", reason="by the machine's clock", part=r"(?<=expires=)[^;]+"),
    Mask(path="headers/retry-after", reason=_DURATION),
    Mask(path="body/detail", reason=_DURATION, part=r"(?<=again in )[\d.]+(?= s$)"),
    Mask(request="GET /api/status", path="body/process/*", reason="memory and load of this machine"),
    Mask(request="GET /api/status", path="body/database/size_bytes", reason="pages that PostgreSQL happens to use"),
    Mask(request="GET /api/database", path="body/head", reason="the newest migration, which every new one changes"),
    Mask(request="GET /api/database", path="body/revision", reason="the newest migration, as `head`"),
    Mask(request="GET /api/database", path="body/size_bytes", reason="pages that PostgreSQL happens to use"),
    Mask(request="GET /api/doctor", path="body/checks/*/text", reason="as size_bytes", part=r"\d+(?= MiB$)"),
    Mask(request="GET /api/doctor", path="body/checks/*/text", reason=_AGE, part=r"\d+(?= s ago)"),
    Mask(request="GET /api/events", path="body/events/*/bookmakers/*/age_seconds", reason=_AGE),
    Mask(request="GET /api/events/*", path="body/bookmakers/*/age_seconds", reason=_AGE),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/staleness_seconds", reason=_AGE),
    Mask(request="GET /api/queue", path="body/unanswered_seconds", reason=_AGE),
    Mask(request="GET /api/queue", path="body/append_p*_ms", reason=_DURATION),
    Mask(request="GET /api/queue", path="body/commit/sum", reason=_DURATION),
    Mask(request="GET /api/queue", path="body/commit/p*", reason=_DURATION),
    Mask(request="GET /api/queue", path="body/commit/buckets/*", reason=_DURATION),
    Mask(request="GET /api/queue", path="body/commit/count", reason=_GROUPS),
    Mask(request="GET /api/queue", path="body/bisections", reason=_GROUPS),
    Mask(request="GET /api/queue", path="body/pending_bytes", reason="random ids are compressed to other lengths"),
    Mask(request="GET /api/queue/dead-letters", path="body/letters/*/epoch", reason=_EPOCH),
    Mask(request="GET /api/queue/dead-letters/*", path="body/epoch", reason=_EPOCH),
    Mask(request="GET /api/queue/dead-letters/*", path="body/content/snapshot_id", reason="a random id"),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/breaker/since", reason=_DURATION),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/latency_ms/*", reason=_DURATION),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/requests_per_minute/used", reason=_DURATION),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/bytes", reason=_ZLIB),
    Mask(request="GET /api/bookmakers", path="body/bookmakers/*/last_error/message", reason=_ARRIVAL),
    Mask(request="GET /api/keys", path="body/keys/*/id", reason="a random id"),
    Mask(request="GET /api/keys", path="body/keys/*/created_at", reason="by the machine's clock"),
    Mask(request="GET /api/scrape/runs", path="body/runs/*/phases/*", reason=_DURATION),
    Mask(request="GET /api/scrape/runs/*", path="body/phases/*", reason=_DURATION),
    Mask(request="POST /api/scrape/event/*", path="body/phases/*", reason=_DURATION),
    Mask(request="GET /api/stream", path="body/*/id", reason=_EPOCH, part=r"^[0-9a-f]{16,32}"),
    Mask(request="GET /api/stream", path="body/*/data/cursor", reason=_EPOCH, part=r"^[0-9a-f]{16,32}"),
    Mask(request="GET /api/stream", path="messages/*/id", reason=f"{_EPOCH}, and {_ARRIVAL}"),
    Mask(request="GET /api/scrape/progress", path="body/*/id", reason=_LIFE),
    Mask(request="GET /api/scrape/progress", path="messages/*/id", reason=_LIFE),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/*_ms", reason=_DURATION),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/rate", reason=_DURATION),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/bookmakers/*/p*_ms", reason=_DURATION),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/run/phases/*", reason=_DURATION),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/bookmakers/*/changed", reason=_LAST_SUMS),
    Mask(request="GET /api/scrape/progress", path="messages/*/data/bookmakers/*/confirmed", reason=_LAST_SUMS),
)

ORDERS: Sequence[Order] = (
    Order(request="GET /api/markets/coverage", path="body/coverage/*/worst", reason=_ARRIVAL),
    Order(request="GET /api/scrape/runs/*/changes", path="body/changes", reason=_ARRIVAL),
    Order(request="GET /api/scrape/runs/*", path="body/failures", reason=_ARRIVAL),
    Order(request="GET /api/stream", path="messages", reason=_ARRIVAL),
)

OMISSIONS: Sequence[Omission] = (
    Omission(
        request="GET /api/doctor",
        path="body/checks",
        member="part",
        values=frozenset({"disk", "event_loop"}),
        reason="free space and load of this machine",
    ),
    Omission(
        request="GET /api/status",
        path="body/alerts",
        member="code",
        values=frozenset({"low_disk"}),
        reason="free space of this machine",
    ),
)


def masked(request: str, answer: Json) -> Json:
    """Return an answer with the listed values replaced, lists sorted and elements left out."""
    return _masked(request.split("?", maxsplit=1)[0], answer, "")


def applies(mask: Mask | Order | Omission, request: str, answer: Json) -> bool:
    """Tell whether an answer has what a mask is for."""
    name = request.split("?", maxsplit=1)[0]
    return fnmatchcase(name, mask.request) and any(map(_matcher(mask.path), _paths(answer, "")))


def _masked(request: str, value: Json, path: str) -> Json:
    for mask in MASKS:
        if _is_for(mask, request, path):
            value = _replaced(value, mask)
    if isinstance(value, dict):
        return {name: _masked(request, one, _joined(path, name)) for name, one in value.items()}
    if isinstance(value, list):
        kept = [one for one in value if not _is_left_out(request, one, path)]
        found = [_masked(request, one, _joined(path, str(place))) for place, one in enumerate(kept)]
        sorts = any(_is_for(order, request, path) for order in ORDERS)
        return sorted(found, key=lambda one: json.dumps(one, sort_keys=True)) if sorts else found
    return value


def _is_for(mask: Mask | Order | Omission, request: str, path: str) -> bool:
    return fnmatchcase(request, mask.request) and _matcher(mask.path)(path)


def _is_left_out(request: str, value: Json, path: str) -> bool:
    return any(_is_for(one, request, path) and value.get(one.member) in one.values for one in OMISSIONS)


def _replaced(value: Json, mask: Mask) -> Json:
    if not mask.part:
        return f"<{_kind(value)}>"
    return re.sub(mask.part, "<masked>", value) if isinstance(value, str) else value


def _kind(value: Json) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return {str: "text", bool: "boolean", list: "list", dict: "object"}.get(type(value), "null")


def _paths(value: Json, path: str) -> Iterator[str]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in members:
        yield from _paths(one, _joined(path, str(name)))


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


@cache
def _matcher(pattern: str) -> Callable[[str], bool]:
    expression = re.compile("/".join(re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/")))
    return lambda path: expression.fullmatch(path) is not None
