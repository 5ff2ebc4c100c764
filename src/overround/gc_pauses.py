"""When Python's collector of cycles had better not work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Collect nothing during a `with` block, in which much is made that stays and is in no cycles.

    Modules and prices are such: collections meanwhile look at all that there is by then, again and again, and take
    as long as the work itself. Nor are these ever looked at later: the first collection after the block would be
    one of them all.
    """
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if working:
            gc.freeze()
            gc.enable()
