"""uvicorn and signals, as the commands run them."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from overround import runtime as process
from overround.api.app import create_app, service_of
from overround.api.framework.connections import BoundedServer, ConnectionBook
from overround.api.framework.standby import StandbyApp
from overround.cli.service_file import announced
from overround.clock import SystemClock
from overround.errors import OverroundError, SettingsError
from overround.settings import Settings

SHUTDOWN_SECONDS = 10  # for requests under way
_UNSENT = 64 * 1024  # bytes
_FLUSH = 2.5  # seconds for the rest of answers that are over
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED = 130


class Stopping:
    """What SIGINT and SIGTERM do: the first asks to stop, the second exits at once."""

    def __init__(self) -> None:
        self._stop: Callable[[], object] | None = None
        self.asked = False

    def on_signal(self) -> None:
        """Ask whoever is in charge to stop; exit where that was asked before."""
        if self.asked:
            os._exit(_INTERRUPTED)
        self.asked = True
        self.stop()

    def stop(self) -> None:
        """Ask whoever is in charge to stop, for a reason of the service's own."""
        if self._stop is not None:
            self._stop()

    @contextlib.contextmanager
    def handled_by(self, stop: Callable[[], object]) -> Iterator[None]:
        """Let `stop` be called by the first signal during a `with` block."""
        outer, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = outer


def run_until_stopped(work: Callable[[Stopping], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine that ends in its own order when a signal comes; before it serves, it is cancelled."""

    async def main() -> None:
        stopping = Stopping()
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stopping.on_signal)
        with stopping.handled_by(task.cancel if task is not None else lambda: None):
            try:
                await work(stopping)
            except asyncio.CancelledError:
                if not stopping.asked:
                    raise

    process.run(main())


async def serve_app(app: FastAPI, stopping: Stopping, listener: socket.socket, data_dir: Path) -> None:
    """Serve on a socket until a signal; announce the address in the data directory and on stdout."""
    address = address_of(listener)
    config = uvicorn.Config(
        app, lifespan="on", access_log=False, log_config=None, timeout_graceful_shutdown=SHUTDOWN_SECONDS
    )
    server = _Server(config, app.state.connections)

    def stop() -> None:
        server.ask_to_exit()
        app.state.stopping.set()  # streams do not end by themselves

    with announced(data_dir, address), stopping.handled_by(stop):
        print(f"Overround is at {address}", flush=True)  # noqa: T201 - the command's result
        await server.serve([listener])


@contextlib.asynccontextmanager
async def standing_by(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Answer with a small application during a block; the socket goes on listening after it."""
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_config=None, timeout_graceful_shutdown=1)
    server = _Server(config, ConnectionBook(SystemClock()))
    serving = asyncio.create_task(server.serve([listener.dup()]), name="standby-server")
    try:
        yield
    finally:
        server.ask_to_exit()
        await serving


@contextlib.asynccontextmanager
async def ended_by(event: asyncio.Event, stopping: Stopping) -> AsyncIterator[None]:
    """Stop, during a block, as soon as an event is set."""

    async def watch() -> None:
        await event.wait()
        stopping.stop()

    watching = asyncio.create_task(watch(), name="stop-watch")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def address_of(listener: socket.socket) -> str:
    """Return the address that a listening socket is reached at."""
    host, port, *_ = listener.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen, with little room for what a connection's client does not take.

    Left to itself the kernel keeps megabytes for a client that does not read: a stream would fill them with
    changes that are old when they are read, where the service itself would give only the newest states. A small
    send buffer would prevent that too, but would send a large answer in several turns of the event loop.

    Raises:
        OverroundError: the port is taken.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise OverroundError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    with listener:
        # Its connections inherit these. Without the second, an answer's body waits for 40 ms, until the client has
        # acknowledged its head; uvloop sees to that itself, asyncio's own loop does not for sockets that it is given.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


class _Server(BoundedServer):
    """A server that leaves the signals to the command, which has more to stop than the server."""

    def ask_to_exit(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cut = asyncio.get_running_loop().call_later(_FLUSH, self._cut_closing)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut_closing(self) -> None:
        """Cut connections that are closed but for what their clients do not take: slow readers of streams."""
        for connection in tuple(self.server_state.connections):
            if connection.transport.is_closing():
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_settings(settings: Settings, stopping: Stopping, *, standby: bool = False) -> None:
    """Serve what the settings describe until a signal; the port is taken before anything else is done.

    `standby`: wait first for as long as another service owns the database; the port answers meanwhile.

    Raises:
        OverroundError: the port is taken, another service owns the database, or the service cannot start.
        OwnershipLostError: another service has taken the database over.
        SettingsError: a standby without a database that others can reach.
    """
    if standby and settings.database_url is None:
        raise SettingsError("a standby needs OVERROUND_DATABASE_URL: the embedded database ends with its service")
    with listening(settings.host, settings.port) as listener:
        async with AsyncExitStack() as waiting, AsyncExitStack() as stack:
            if standby:
                print(f"Overround stands by at {address_of(listener)}", flush=True)  # noqa: T201 - the command's result
                await waiting.enter_async_context(standing_by(StandbyApp(), listener))
            service = await stack.enter_async_context(service_of(settings, standby=standby))
            ownership = service.database.ownership
            await waiting.aclose()
            async with ended_by(ownership.lost, stopping):
                await serve_app(create_app(lambda: nullcontext(service)), stopping, listener, settings.data_dir)
            ownership.raise_if_lost()
