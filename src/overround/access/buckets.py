"""Rate limits: a bucket of tokens for each client, that refills steadily.

Apart because rate limits know nothing of HTTP.
"""

from collections import OrderedDict

from overround.ports import Clock

_MOST_CLIENTS = 10_000


class TokenBuckets:
    """How often each client may do something: `per_minute` in the long run, and `burst` at once.

    Memory is bounded: beyond `most_clients` the one that was away longest is forgotten, and would
    begin with a full bucket.
    """

    def __init__(self, clock: Clock, per_minute: float, burst: float, most_clients: int = _MOST_CLIENTS) -> None:
        self._clock = clock
        self._rate = per_minute / 60
        self._burst = burst
        self._most = most_clients
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, at that instant

    @property
    def clients(self) -> int:
        """Return how many clients are remembered."""
        return len(self._levels)

    def take(self, client: str) -> float:
        """Take a token; return 0, or for how many seconds there will be none."""
        wait = self.wait(client)
        if not wait:
            tokens, now = self._levels[client]
            self._levels[client] = (tokens - 1, now)
        return wait

    def wait(self, client: str) -> float:
        """Return for how many seconds a client will find no token; 0 where there is one."""
        now = self._clock.monotonic()
        tokens, then = self._levels.get(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        self._levels[client] = (tokens, now)
        self._levels.move_to_end(client)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self._rate
