"""What a failed write means: the SQLSTATE table that decides between retry, bisection and the breaker."""

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from asyncpg import InterfaceError, PostgresError

from overround.errors import DeadLetterRunError, NotOwnerError


class Exit(Enum):
    """The three ways out of a failed write; there is no other."""

    RETRY = "retry"  # the database's state: the same batch may succeed later
    BISECT = "bisect"  # the batch's content: it never will, but its healthy part can
    BREAK = "break"  # the schema or the program: no batch will, until somebody acts


# SQLSTATE classes (two characters) and single states (five), as PostgreSQL's appendix A lists them;
# the longer entry wins.
_BY_SQLSTATE: Mapping[str, Exit] = MappingProxyType(
    {
        "08": Exit.RETRY,  # connection
        "22": Exit.BISECT,  # data
        "23": Exit.BISECT,  # constraints
        "25": Exit.RETRY,  # a read-only server: a standby before its promotion
        "28": Exit.RETRY,  # authorisation: passwords are rotated while services run
        "3D": Exit.RETRY,  # no such database (yet)
        "3F": Exit.BREAK,  # no such schema
        "0A": Exit.BREAK,  # not supported by this server
        "40": Exit.RETRY,  # serialisation, deadlock
        "42": Exit.BREAK,  # no such table, column, right
        "53": Exit.RETRY,  # disk, memory, connections
        "54": Exit.BISECT,  # a row larger than the server's limits
        "55": Exit.RETRY,  # locks, objects in use
        "57": Exit.RETRY,  # shutdown, cancelled
        "58": Exit.RETRY,  # the server's input and output
    }
)

_AWAY = ("08", "57P")
_CHECK_VIOLATION = "23514"

# What fails before the server has seen it: values that the wire format cannot carry.
_CONTENT = (ValueError, TypeError, OverflowError)
# All that can be at fault where a batch's content is; whether it is, `classify` tells.
CONTENT_ERRORS = (PostgresError, InterfaceError, *_CONTENT)
_CONNECTION = (OSError, TimeoutError, EOFError, InterfaceError, NotOwnerError)


def classify(error: BaseException) -> Exit:
    """Return what to do about a failed write; what nobody has foreseen is retried (see `is_known`)."""
    return _find(error) or Exit.RETRY


def is_known(error: BaseException) -> bool:
    """Return whether the tables foresee this failure; an unforeseen one deserves an alarm."""
    return _find(error) is not None


def is_away(error: BaseException) -> bool:
    """Return whether no server has judged the write: there is none, or it is starting or ending."""
    state = sqlstate(error)
    if state:
        return state.startswith(_AWAY)
    return any(isinstance(cause, _CONNECTION) for cause in _causes(error))


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE behind an error, however it is wrapped; empty if the server sent none."""
    for cause in _causes(error):
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str) and state:
            return state
    return ""


def _find(error: BaseException) -> Exit | None:
    state = sqlstate(error)
    causes = tuple(_causes(error))
    if state == _CHECK_VIOLATION and any(_lacks_partition(cause) for cause in causes):
        return Exit.RETRY
    if state:
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2])
    if any(isinstance(cause, DeadLetterRunError) for cause in causes):
        return Exit.BREAK
    if any(isinstance(cause, _CONTENT) for cause in causes):
        return Exit.BISECT
    if any(isinstance(cause, _CONNECTION) for cause in causes):
        return Exit.RETRY
    return None


def _lacks_partition(error: BaseException) -> bool:
    """Tell a row without a partition, which is made at the next try, from one that breaks a constraint by name."""
    return isinstance(error, PostgresError) and not getattr(error, "constraint_name", None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
