"""The simulator's present, and the requests that change it while it runs: its tick and its faults."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from overround.simulator.server.faults import Fault, Faults
from overround.simulator.server.worlds import Present

PREFIX = "/_control"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What every control request is answered with; without a model there is neither seed nor epoch.

    `processor_seconds` is what the process has used since it started.
    """

    tick: int
    seed: int | None
    epoch: datetime | None
    events: int
    faults: tuple[Fault, ...]
    processor_seconds: float = 0.0


class Advance(msgspec.Struct, frozen=True):
    """Go on by so many ticks."""

    ticks: int = 1


class SetTick(msgspec.Struct, frozen=True):
    """Go to a tick."""

    tick: int


class SetFaults(msgspec.Struct, frozen=True):
    """Have these faults, and no others."""

    faults: tuple[Fault, ...]


_advance = msgspec.json.Decoder(Advance)
_set_tick = msgspec.json.Decoder(SetTick)
_set_faults = msgspec.json.Decoder(SetFaults)


class Control:
    """Changes the present; a request that is being answered keeps the present in which it came."""

    def __init__(self, present: Present, faults: Faults, bookmakers: Sequence[str], about: Mapping[str, Any]) -> None:
        """Control a simulator; `about` has the fields of `Status` that do not change."""
        self.present = present
        self.faults = faults
        self._bookmakers = bookmakers
        self._about = about

    @classmethod
    def without_model(cls, bookmakers: Sequence[str]) -> "Control":
        """Return the control of a simulator on recordings."""
        return cls(Present(), Faults(0), bookmakers, {"seed": None, "epoch": None, "events": 0})

    def advance(self, ticks: int) -> None:
        """Go on by so many ticks."""
        self.go_to(self.present.tick + ticks)

    def go_to(self, tick: int) -> None:
        """Go to a tick."""
        self.present.tick = tick
        self.present.anomalies = self.faults.anomalies(self._bookmakers, tick)

    def have(self, faults: Sequence[Fault]) -> None:
        """Have these faults, from this tick on."""
        self.faults.set(faults, self.present.tick)
        self.go_to(self.present.tick)

    def status(self) -> Status:
        """Return the present."""
        fields: dict[str, Any] = {"tick": self.present.tick, "faults": tuple(self.faults.all), **self._about}
        return Status(processor_seconds=time.process_time(), **fields)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve the control requests: `GET /_control`, `POST advance`, `PUT tick` and `PUT faults` below it."""
        router.add_get(PREFIX, self._handler(None))
        router.add_post(f"{PREFIX}/advance", self._handler(lambda body: self.advance(_advance.decode(body).ticks)))
        router.add_put(f"{PREFIX}/tick", self._handler(lambda body: self.go_to(_set_tick.decode(body).tick)))
        router.add_put(f"{PREFIX}/faults", self._handler(lambda body: self.have(_set_faults.decode(body).faults)))

    def _handler(self, change: Callable[[bytes], None] | None) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                if change:
                    change(body or b"{}")
            except msgspec.DecodeError as error:
                return _json(400, {"error": str(error)})
            return _json(200, self.status())

        return handle


def _json(status: int, content: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")
