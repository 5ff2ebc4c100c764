"""The loopback server: every bookmaker's API under its own prefix, on recordings.

`python -m overround.simulator.server --captures DIR --port 0` prints one JSON line (`Ready`) when it
listens, and ends on SIGTERM, on SIGINT, and when whoever holds the other end of its stdin is gone.
"""

import argparse
import asyncio
import contextlib
import gzip
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from os import fstat
from pathlib import Path

import msgspec
from aiohttp import hdrs, web

from overround.bookmakers.registry import load_bookmakers
from overround.ports import SimulatedBookmaker
from overround.simulator.captures import Captures, LeftOut, default_recordings_dir, load_recordings

LOOPBACK = "127.0.0.1"
_COMPRESSED_KEPT = 4096
_FASTEST = 1
_GRACE_SECONDS = 1.0


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What the server prints when it listens: the port, the recordings by bookmaker, and what is not served."""

    port: int
    recordings: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    earliest_kickoff: datetime | None


class _Simulator:
    """Hands requests to the simulated bookmakers; recordings are compressed once."""

    def __init__(self, bookmakers: Mapping[str, SimulatedBookmaker]) -> None:
        self._bookmakers = bookmakers
        self._compressed = lru_cache(_COMPRESSED_KEPT)(lambda body: gzip.compress(body, _FASTEST, mtime=0))

    async def answer(self, request: web.Request) -> web.Response:
        bookmaker = self._bookmakers.get(request.match_info["slug"])
        if bookmaker is None:
            raise web.HTTPNotFound
        path = request.path.removeprefix(f"/{request.match_info['slug']}")
        answer = bookmaker.answer(request.method, path, dict(request.query), await request.read())
        headers = {hdrs.CONTENT_TYPE: answer.content_type}
        if "gzip" not in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(status=answer.status, body=self._compressed(answer.body), headers=headers)


def build_app(bookmakers: Mapping[str, SimulatedBookmaker]) -> web.Application:
    """Return the application that serves each bookmaker below `/<slug>`."""
    app = web.Application()
    app.router.add_route("*", "/{slug}/{path:.*}", _Simulator(bookmakers).answer)
    return app


@contextlib.asynccontextmanager
async def listening(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve an application on the loopback address, and yield the port (the given one, or for 0 a free one)."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def serve(captures: Captures, simulated: Mapping[str, SimulatedBookmaker], port: int) -> None:
    """Serve until a signal comes or stdin ends; print a `Ready` line once listening."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with listening(build_app(simulated), port) as bound:
        ready = Ready(
            port=bound,
            recordings={slug: len(entries) for slug, entries in captures.recordings.items()},
            left_out=captures.left_out,
            earliest_kickoff=captures.earliest_kickoff,
        )
        sys.stdout.write(f"{msgspec.json.encode(ready).decode()}\n")
        sys.stdout.flush()
        async with _parent_watched(stop):
            await stop.wait()


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="overround.simulator.server", description="Serve recorded responses.")
    parser.add_argument("--captures", type=Path, default=default_recordings_dir(), help="directory of recordings")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    options = parser.parse_args(arguments)
    bookmakers = load_bookmakers()
    captures = load_recordings(options.captures, bookmakers)
    simulated = {slug: bookmaker.replay(captures.recordings[slug]) for slug, bookmaker in bookmakers.items()}
    asyncio.run(serve(captures, simulated, options.port))


if __name__ == "__main__":
    main()
