"""How the service's process runs: its event loop, and what Python's collector looks at."""

import asyncio
import gc
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from uvicorn.loops.auto import auto_loop_factory

_THRESHOLDS: Final = (1_000, 30, 100)
_SWITCH_INTERVAL: Final = 0.0005  # seconds


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on the quickest event loop there is here."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(work)


@contextmanager
def settled() -> Iterator[None]:
    """Keep all objects that there are now out of the collections of a `with` block, and make those short.

    A started service holds some hundred thousand objects that stay for good; looking at them all again and again
    takes longer, each time, than anything else on the event loop. Prices are not among the objects that are looked
    at: their structs say that they are in no cycles. New objects are looked at a few at a time: a microsecond each.

    Threads are switched more often than by default: the journal's thread needs the interpreter three or four times
    between a batch and its being safe, and the event loop needs it back from the thread that packs rows.
    """
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*before)
        gc.unfreeze()
