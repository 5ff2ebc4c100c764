"""The loopback server: every bookmaker's API under its own prefix, on the market model or on recordings.

`python -m overround.simulator.server.loopback --port 0` prints one JSON line (`Ready`) when it listens, and ends
on SIGTERM, on SIGINT, and when whoever holds the other end of its stdin is gone. `/_control` tells and
changes its tick and its faults.
"""

import asyncio
import contextlib
import gc
import gzip
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from functools import lru_cache
from os import fstat
from pathlib import Path

import msgspec
from aiohttp import hdrs, web

from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.ports import SimulatedAnswer, SimulatedBookmaker
from overround.simulator.model.market import Model
from overround.simulator.server.arguments import Options, parsed
from overround.simulator.server.captures import Captures, LeftOut, load_recordings
from overround.simulator.server.control import Control
from overround.simulator.server.faults import Conduct, Faults, Reaction, decompressed
from overround.simulator.server.latency import AnswerLatency, LatencyProfile
from overround.simulator.server.oracle import simulations_of
from overround.simulator.server.worlds import ModelWorld, Present

LOOPBACK = "127.0.0.1"
_COMPRESSED_KEPT = 4096
_FASTEST = 1
_GRACE_SECONDS = 1.0
_SLOW_PIECES = 8
_SLOW_SECONDS = 0.4  # between two pieces
_NEVER_SECONDS = 600.0
_CACHE_BUSTER = "_t"
_GARBAGE_THRESHOLD = (
    50_000  # what is worked out is kept, and looking through it for garbage again and again costs a lot
)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What the server prints when it listens: the port, and how many events each bookmaker lists.

    On recordings: how many there are by bookmaker, and what is not served. On the model: its parameters.
    """

    port: int
    listings: Mapping[str, int]
    earliest_kickoff: datetime | None
    recordings: Mapping[str, int] = {}
    left_out: tuple[LeftOut, ...] = ()
    seed: int | None = None
    epoch: datetime | None = None
    events: int = 0
    tick_seconds: int = 0
    size: str = ""
    sports: tuple[str, ...] = ()


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """All that is served; `ready` lacks the port alone."""

    bookmakers: Mapping[str, SimulatedBookmaker]
    ready: Ready
    control: Control
    latencies: Mapping[str, AnswerLatency] = {}


class _Simulator:
    """Hands requests to the simulated bookmakers, and their answers to what goes wrong; compresses each body once."""

    def __init__(
        self, bookmakers: Mapping[str, SimulatedBookmaker], control: Control, latencies: Mapping[str, AnswerLatency]
    ) -> None:
        self._bookmakers = bookmakers
        self._control = control
        self._latencies = latencies
        self._compressed = lru_cache(_COMPRESSED_KEPT)(lambda body: gzip.compress(body, _FASTEST, mtime=0))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        slug = request.match_info["slug"]
        bookmaker = self._bookmakers.get(slug)
        if bookmaker is None:
            raise web.HTTPNotFound
        path = request.path.removeprefix(f"/{slug}")
        query, body = dict(request.query), await request.read()
        # From here to the next await the tick stays the same: the whole answer is of one.
        answer = bookmaker.answer(request.method, path, query, body)
        query.pop(_CACHE_BUSTER, None)
        named = f"{request.method} {path} {sorted(query.items())} ".encode() + body
        reaction = self._control.faults.reaction(slug, named, answer, self._control.present.tick)
        if slug in self._latencies:
            await asyncio.sleep(self._latencies[slug].seconds())
        return await self._conducted(request, reaction)

    async def _conducted(self, request: web.Request, reaction: Reaction) -> web.StreamResponse:
        match reaction.conduct:
            case Conduct.PLAIN:
                return self._response(request, reaction)
            case Conduct.SLOWLY:
                return await _sent_slowly(request, reaction.answer)
            case Conduct.NEVER:
                await asyncio.sleep(_NEVER_SECONDS)
            case Conduct.HUNG_UP:
                pass
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    def _response(self, request: web.Request, reaction: Reaction) -> web.Response:
        answer = reaction.answer
        headers = {hdrs.CONTENT_TYPE: answer.content_type, **reaction.headers}
        if not answer.body or "gzip" not in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(status=answer.status, body=decompressed(answer), headers=headers)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = answer.body if answer.encoding else self._compressed(answer.body)
        return web.Response(status=answer.status, body=body, headers=headers)


async def _sent_slowly(request: web.Request, answer: SimulatedAnswer) -> web.StreamResponse:
    body = decompressed(answer)
    response = web.StreamResponse(status=answer.status, headers={hdrs.CONTENT_TYPE: answer.content_type})
    response.content_length = len(body)
    await response.prepare(request)
    size = len(body) // _SLOW_PIECES + 1
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        await asyncio.sleep(_SLOW_SECONDS)
    await response.write_eof()
    return response


def build_app(
    bookmakers: Mapping[str, SimulatedBookmaker],
    control: Control | None = None,
    latencies: Mapping[str, AnswerLatency] | None = None,
) -> web.Application:
    """Return the application that serves each bookmaker below `/<slug>`, and the control's requests if there is one."""
    app = web.Application()
    if control:
        control.add_routes(app.router)
    simulator = _Simulator(bookmakers, control or Control.without_model(tuple(bookmakers)), latencies or {})
    app.router.add_route("*", "/{slug}/{path:.*}", simulator.answer)
    return app


def replayed(options: Options, directory: Path) -> Simulated:
    """Return what serves the recordings of a directory; their present never changes.

    Raises:
        OSError: a file cannot be read.
    """
    bookmakers = load_bookmakers()
    captures: Captures = load_recordings(directory, bookmakers)
    counts = {slug: len(entries) for slug, entries in captures.recordings.items()}
    control = Control.without_model(tuple(bookmakers))
    control.have(options.faults)
    ready = Ready(
        port=0,
        listings=counts,
        recordings=counts,
        left_out=captures.left_out,
        earliest_kickoff=captures.earliest_kickoff,
    )
    served = {slug: bookmaker.replay(captures.recordings[slug]) for slug, bookmaker in bookmakers.items()}
    return Simulated(bookmakers=served, control=control, ready=ready)


def modelled(options: Options) -> Simulated:
    """Return what serves the market model."""
    parameters, catalogue = options.parameters, load_catalogue()
    simulations = simulations_of(load_bookmakers(), catalogue)
    model = Model(parameters, catalogue, simulations)
    about = {"seed": parameters.seed, "epoch": parameters.epoch, "events": parameters.events}
    control = Control(Present(), Faults(parameters.seed), tuple(simulations), about)
    control.have(options.faults)
    worlds = {slug: ModelWorld(model, slug, control.present) for slug in simulations}
    ready = Ready(
        port=0,
        listings={slug: len(world.events()) for slug, world in worlds.items()},
        earliest_kickoff=min(
            fixture.kickoff_at(parameters.epoch) for fixture in model.fixtures.upcoming(parameters.epoch)
        ),
        tick_seconds=parameters.tick_seconds,
        size=parameters.size,
        sports=parameters.sports,
        seed=parameters.seed,
        epoch=parameters.epoch,
        events=parameters.events,
    )
    observed = simulations if options.latency is LatencyProfile.OBSERVED else {}
    return Simulated(
        bookmakers={slug: simulation.server(worlds[slug]) for slug, simulation in simulations.items()},
        control=control,
        ready=ready,
        latencies={
            slug: AnswerLatency(parameters.seed, slug, one.profile.latency_ms) for slug, one in observed.items()
        },
    )


@contextlib.asynccontextmanager
async def listening(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve an application on the loopback address, and yield the port (the given one, or for 0 a free one)."""
    # A client that has gone away takes the answer that hangs for it along.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def serve(simulated: Simulated, options: Options, announce: Callable[[Ready], None]) -> None:
    """Serve until a signal comes or stdin ends; `announce` is called once it listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = build_app(simulated.bookmakers, simulated.control, simulated.latencies)
    async with listening(app, options.port) as bound:
        announce(msgspec.structs.replace(simulated.ready, port=bound))
        async with _parent_watched(stop), _ticking(simulated.control, options.advance_seconds):
            await stop.wait()


@contextlib.asynccontextmanager
async def _ticking(control: Control, seconds: float) -> AsyncIterator[None]:
    """Advance the tick every so many seconds; never, for 0."""
    if not seconds:
        yield
        return
    task = asyncio.create_task(_tick(control, seconds), name="tick")
    try:
        yield
    finally:
        task.cancel()


async def _tick(control: Control, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due += seconds
        await asyncio.sleep(max(0.0, due - loop.time()))
        control.advance(1)


@contextlib.asynccontextmanager
async def _parent_watched(stop: asyncio.Event) -> AsyncIterator[None]:
    """Set the event when stdin ends, where it is a pipe or a socket, as a parent process gives one."""
    mode = fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield
        return
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    watch = asyncio.create_task(_read_to_end(reader, stop), name="watch stdin")
    try:
        yield
    finally:
        watch.cancel()
        transport.close()


async def _read_to_end(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    while await reader.read(1024):
        pass
    stop.set()


def print_ready(ready: Ready) -> None:
    """Print a `Ready` as one line of JSON."""
    sys.stdout.write(f"{msgspec.json.encode(ready).decode()}\n")
    sys.stdout.flush()


def run(options: Options, announce: Callable[[Ready], None] = print_ready) -> None:
    """Run the server until it is stopped."""
    gc.set_threshold(_GARBAGE_THRESHOLD)
    simulated = modelled(options) if options.captures is None else replayed(options, options.captures)
    asyncio.run(serve(simulated, options, announce))


if __name__ == "__main__":
    run(parsed())
