"""Stands between writer and PostgreSQL, and now and then keeps the reply to a COMMIT to itself.

It reads the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html) as far as to
know a COMMIT of a transaction that copied rows, and the server's answer that the commit is done: then both
sides are cut, and the writer cannot know whether its rows are stored.
"""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"
_LENGTH = 4  # bytes; a message's length counts itself, not the type byte before it
_PATIENCE = 120.0  # seconds


class CommitCutter:
    """Cuts about every second COMMIT until it has cut as many as it was told."""

    def __init__(self, server: Path, number: int, seed: int) -> None:
        self.cut = 0
        self._server = server
        self._number = number
        self._chance = random.Random(seed)  # noqa: S311 - a drill must be repeatable
        self._done = asyncio.Event()

    async def done(self) -> None:
        """Wait until the last cut.

        Raises:
            TimeoutError: it does not come.
        """
        await asyncio.wait_for(self._done.wait(), _PATIENCE)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Stand between one client and the server until one of them goes, or is cut."""
        try:
            upstream, to_server = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.transport.abort()
            return
        session = _Session(self)
        ways = (
            asyncio.create_task(session.to_server(reader, to_server), name="to server"),
            asyncio.create_task(session.to_client(upstream, writer), name="to client"),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_server.transport.abort()
            writer.transport.abort()

    def wants(self) -> bool:
        """Decide whether a COMMIT is to lose its reply."""
        return self.cut < self._number and self._chance.random() < 0.5

    def has_cut(self) -> None:
        """Count a cut."""
        self.cut += 1
        if self.cut >= self._number:
            self._done.set()


class _Session:
    """One connection through the cutter."""

    def __init__(self, cutter: CommitCutter) -> None:
        self._cutter = cutter
        self._copied = False
        self._cutting = False

    async def to_server(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Forward the client's messages, and note a COMMIT before it is passed on."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(await _untyped(reader))
            while True:
                kind, message = await _typed(reader)
                self._note(kind, message)
                writer.write(kind + message)
                await writer.drain()

    async def to_client(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Forward the server's messages, but for the reply to a COMMIT that is to be lost."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, message = await _typed(reader)
                if self._cutting and kind == b"C" and message[_LENGTH:] == b"COMMIT\0":
                    self._cutter.has_cut()
                    return
                writer.write(kind + message)
                await writer.drain()

    def _note(self, kind: bytes, message: bytes) -> None:
        if kind == b"d":
            self._copied = True
        elif kind == b"Q":
            text = message[_LENGTH:].rstrip(b"\0; ").upper()
            self._cutting = text == b"COMMIT" and self._copied and self._cutter.wants()
            self._copied = self._copied and not text.startswith((b"BEGIN", b"COMMIT", b"ROLLBACK"))


async def _untyped(reader: StreamReader) -> bytes:
    head = await reader.readexactly(_LENGTH)
    return head + await reader.readexactly(int.from_bytes(head) - _LENGTH)


async def _typed(reader: StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    return kind, await _untyped(reader)


@asynccontextmanager
async def running_cutter(directory: Path, sockets: str, number: int, seed: int) -> AsyncIterator[CommitCutter]:
    """Listen in a directory as PostgreSQL does, before the server that listens in `sockets`."""
    cutter = CommitCutter(Path(sockets) / _SOCKET, number, seed)
    server = await asyncio.start_unix_server(cutter.serve, directory / _SOCKET)
    try:
        yield cutter
    finally:
        server.close()
        await server.wait_closed()
