"""Who goes first where requests wait for a bookmaker: what somebody asked for on demand, before what a cycle asks for.

The lane belongs to the task that asks, and to those that it starts: clients of bookmakers need not know of it.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_URGENT: ContextVar[bool] = ContextVar("overround_urgent", default=False)


@contextlib.contextmanager
def urgent() -> Iterator[None]:
    """Let the requests of the block, and of tasks started in it, go ahead of others that wait."""
    token = _URGENT.set(True)
    try:
        yield
    finally:
        _URGENT.reset(token)


def is_urgent() -> bool:
    """Tell whether the present task's requests go ahead of others."""
    return _URGENT.get()
