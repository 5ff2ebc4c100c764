"""A socket before PostgreSQL's that can be cut as a network is: without a word, in both directions."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Relay:
    """Hands bytes on while `whole` is set; a connection that was cut stays so for good."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream / _SOCKET
        self.whole = asyncio.Event()
        self.whole.set()

    @asynccontextmanager
    async def running(self, directory: Path) -> AsyncIterator[None]:
        """Listen in a directory that is there."""
        server = await asyncio.start_unix_server(self._serve, directory / _SOCKET)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._upstream)
        ways = [
            asyncio.create_task(self._hand_on(reader, to_server), name="relay-up"),
            asyncio.create_task(self._hand_on(from_server, writer), name="relay-down"),
        ]
        with suppress(asyncio.CancelledError):  # at the end of the drill: asyncio's streams report it as an error
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, to_server):
            end.close()

    async def _hand_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while received := await reader.read(65_536):
                await self.whole.wait()
                writer.write(received)
                await writer.drain()
