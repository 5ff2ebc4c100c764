"""How fast the machine is while something is measured: decoding some of the same bodies, and nothing more."""

import time
from collections.abc import Callable

_EVERY = 7  # bodies: few enough to leave the measured alone, and no multiple of the templates' number


class Yardstick:
    """Decodes every few bodies bare, and sums up the processor time of it; `taken` begins anew."""

    def __init__(self) -> None:
        self._seen = 0
        self._decoded = 0
        self._seconds = 0.0

    def watch(self, decode: Callable[[bytes], object], body: bytes) -> None:
        """Decode a body where it is its turn."""
        self._seen += 1
        if self._seen % _EVERY:
            return
        began = time.thread_time()
        decode(body)
        self._seconds += time.thread_time() - began
        self._decoded += 1

    def taken(self) -> tuple[float, float]:
        """Return the seconds since the last call: of all that was decoded, and of one body."""
        seconds, decoded = self._seconds, self._decoded
        self._seconds, self._decoded = 0.0, 0
        return seconds, seconds / max(1, decoded)
