"""Connections of clients: accepted up to a number, and closed where nothing comes of them.

uvicorn by itself accepts without a bound, and waits for the first request for ever: idle clients would take the
descriptors that the journal needs.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final, cast

import structlog
import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from overround.descriptors import DescriptorRoom
from overround.ports import Clock
from overround.upkeep.health import SILENT_SECONDS, ConnectionFigures

PATIENCE: Final = 15.0
"""Seconds in which a request's head has to come, and after which silence ends a connection."""

STREAMED: Final = "overround.streamed"
"""Set in the scope of a request whose answer is a live stream: its client may read as slowly as it likes."""

_SWEEP = 1.0  # seconds
_ACCEPTED_AT_ONCE = 64
_BACKLOG = 2048
_TURNS = 3  # of the event loop, in which a request that has arrived is read
_MOMENT = 0.02  # seconds
_ACCEPT_PAUSE = 0.2  # seconds, where the system has no descriptor or memory for another connection
_SHORT_OF_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = structlog.get_logger(__name__)


class ConnectionBook:
    """Knows every connection, and those among them that wait for something from their client.

    At the limit a newcomer takes the place of the connection that has been silent for longest. Where all are in use,
    the newcomer is closed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[HttpToolsProtocol] = set()
        # By the time since when: the oldest first. A connection waits for a request, or for its client to read.
        self._silent: dict[HttpToolsProtocol, float] = {}
        self._unread: dict[HttpToolsProtocol, float] = {}
        self.room: DescriptorRoom | None = None
        self._refused = 0
        self._timed_out = 0
        self._crowded_at: datetime | None = None
        self.accept_error = ""

    def has_room(self, entering: int) -> bool:
        """Tell whether one more connection may be open; `entering` ones have been accepted, and are not noted yet."""
        return self.room is None or len(self._open) + entering < self.room.connections

    @property
    def silent_since(self) -> float | None:
        """Return since when the oldest silent connection is silent, on the monotonic clock; None without one."""
        return next(iter(self._silent.values()), None)

    def make_room(self) -> bool:
        """Close the connection that has been silent for longest for a newcomer; return whether there was one."""
        self._refused += 1
        self._crowded_at = self._clock.now()
        oldest = next(iter(self._silent), None)
        if oldest is not None:
            self._cut(oldest)
        return oldest is not None

    def now(self) -> float:
        """Return the book's monotonic time, in seconds."""
        return self._clock.monotonic()

    def opened(self, connection: HttpToolsProtocol) -> None:
        """Note a connection: its first request has to come."""
        self._open.add(connection)
        self.awaits_request(connection)

    def closed(self, connection: HttpToolsProtocol) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._silent.pop(connection, None)
        self._unread.pop(connection, None)

    def awaits_request(self, connection: HttpToolsProtocol) -> None:
        """Note that the client has to send something, from now on."""
        self._silent.pop(connection, None)
        self._silent[connection] = self._clock.monotonic()

    def has_request(self, connection: HttpToolsProtocol) -> None:
        """Note that a whole request is there."""
        self._silent.pop(connection, None)

    def unread(self, connection: HttpToolsProtocol) -> None:
        """Note that the client does not take what was sent."""
        self._unread.setdefault(connection, self._clock.monotonic())

    def read(self, connection: HttpToolsProtocol) -> None:
        """Note that the client has taken what was sent."""
        self._unread.pop(connection, None)

    def figures(self) -> ConnectionFigures:
        """Return how many there are, and what became of others."""
        limit = self._clock.monotonic() - SILENT_SECONDS
        return ConnectionFigures(
            most=0 if self.room is None else self.room.connections,
            open=len(self._open),
            silent=sum(since <= limit and not _asked(one) for one, since in self._silent.items()),
            refused=self._refused,
            crowded_at=self._crowded_at,
            timed_out=self._timed_out,
            accept_error=self.accept_error,
        )

    @contextlib.asynccontextmanager
    async def swept(self) -> AsyncIterator[None]:
        """Close connections that have been silent for too long, during the block."""
        task = asyncio.create_task(self._sweep(), name="connection-sweep")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close_silent(self) -> None:
        """Close the connections whose time is over."""
        limit = self._clock.monotonic() - PATIENCE
        late = {one for one, since in self._silent.items() if since <= limit}
        late |= {one for one, since in self._unread.items() if since <= limit and not _streams(one)}
        for connection in late:
            self._cut(connection)
        self._timed_out += len(late)
        if late:
            _log.info("connections_timed_out", count=len(late), open=len(self._open))

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(_SWEEP)
            self.close_silent()

    def _cut(self, connection: HttpToolsProtocol) -> None:
        self.closed(connection)
        connection.transport.abort()


class WatchedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, of which the book hears when its client has to act."""

    def __init__(self, book: ConnectionBook, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._book = book

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take up a connection."""
        super().connection_made(transport)
        self._book.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up a connection."""
        self._book.closed(self)
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Go on to the body: silence counts from here again."""
        super().on_headers_complete()
        self._book.awaits_request(self)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        super().on_body(body)
        self._book.awaits_request(self)

    def on_message_complete(self) -> None:
        """Serve the request, which is whole."""
        self._book.has_request(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._book.awaits_request(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._book.unread(self)

    def resume_writing(self) -> None:
        """Go on sending."""
        super().resume_writing()
        self._book.read(self)


class Acceptor:
    """Accepts the connections of one listener, in place of the event loop, which would accept all that wait."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], book: ConnectionBook) -> None:
        """Begin to accept on a listening socket."""
        self._listener = listener
        self._protocol = protocol
        self._book = book
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[Any]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._crowded_since = float("-inf")
        self._turns = 0
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._again is not None:
            self._again.cancel()

    async def wait_closed(self) -> None:
        """Wait for connections that are being taken up."""
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _accept(self) -> None:
        # The others wait in the kernel for another turn: those that are being taken up are in no book yet.
        for _ in range(_ACCEPTED_AT_ONCE - len(self._entering)):
            entering = len(self._entering)
            has_room = self._book.has_room(entering)
            if not has_room and self._may_be_asking(entering):
                self._rest(_MOMENT)
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._fail(error)
                return
            self._book.accept_error = ""
            if has_room or self._book.make_room():
                self._enter(connection)
            else:
                connection.close()

    def _may_be_asking(self, entering: int) -> bool:
        """Tell whether the silent connections may only not have been read: each has some turns of the event loop."""
        since = self._book.silent_since
        if since is None:
            return bool(entering)
        if since > self._crowded_since:
            self._crowded_since, self._turns = self._book.now(), 0
        self._turns += 1
        return self._turns <= _TURNS

    def _enter(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task = self._loop.create_task(self._taken_up(connection), name="connection")
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _taken_up(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:
            connection.close()

    def _fail(self, error: OSError) -> None:
        if error.errno not in _SHORT_OF_ROOM:
            _log.warning("accept_failed", error=str(error))
            return
        self._book.accept_error = error.strerror or str(error)
        self._rest(_ACCEPT_PAUSE)

    def _rest(self, seconds: float) -> None:
        """Leave the listener alone for a while: it stays readable, and would be asked again at once."""
        self._loop.remove_reader(self._listener)
        self._again = self._loop.call_later(seconds, self._loop.add_reader, self._listener, self._accept)


class BoundedServer(uvicorn.Server):
    """A uvicorn server whose connections are bounded; its config names no protocol of its own."""

    def __init__(self, config: uvicorn.Config, book: ConnectionBook) -> None:
        super().__init__(config)
        self._book = book
        self._listening = contextlib.AsyncExitStack()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and accept on the sockets."""
        await super().startup(sockets=[])
        await self._listening.enter_async_context(self._book.swept())
        self.servers = [Acceptor(one, self._protocol, self._book) for one in sockets or ()]  # type: ignore[misc]  # as far as uvicorn uses one

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, and let requests end."""
        await super().shutdown(sockets)
        await self._listening.aclose()

    def _protocol(self) -> asyncio.Protocol:
        return WatchedProtocol(
            self._book, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def mark_streamed(scope: Scope) -> None:
    """Let a request's client read as slowly as it likes."""
    scope[STREAMED] = True


def _asked(connection: HttpToolsProtocol) -> bool:
    """Tell whether a connection has had a whole request; uvicorn's annotation forgets that there may be none."""
    return cast("RequestResponseCycle | None", connection.cycle) is not None


def _streams(connection: HttpToolsProtocol) -> bool:
    return _asked(connection) and STREAMED in connection.cycle.scope
