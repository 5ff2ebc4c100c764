"""How long requests take, by route and status; counted around everything else that handles them."""

from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overround.latency import LatencyWindow
from overround.ports import Clock
from overround.records.writing import Latency

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_FAILED = 500
UNMATCHED = "unmatched"  # one name for all paths that no route knows: anybody can make up more of them


class RequestMeter:
    """Durations until an answer begins, by (method, route template, status): a stream's end would say nothing."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._windows: dict[tuple[str, str, int], LatencyWindow] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        key = (method if method in _METHODS else "other", route, status)
        self._windows.setdefault(key, LatencyWindow()).add(seconds)

    def latencies(self) -> Iterator[tuple[tuple[str, str, int], Latency]]:
        """Yield the distributions by (method, route template, status)."""
        for key, window in self._windows.items():
            yield key, window.latency()


class MeterMiddleware:
    """Tells a meter about every HTTP request; what fails before it answers counts as 500."""

    def __init__(self, app: ASGIApp, meter: RequestMeter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        meter, began, answered = self._meter, self._meter.clock.monotonic(), False

        def note(status: int) -> None:
            nonlocal answered
            answered = True
            meter.note(scope["method"], _route(scope), status, meter.clock.monotonic() - began)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if not answered:
                note(_FAILED)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", UNMATCHED)
