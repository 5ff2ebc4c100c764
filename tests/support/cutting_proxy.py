"""A proxy before PostgreSQL that goes away in the middle of a COPY, with most of the data unsent."""

import asyncio
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

_SOCKET = ".s.PGSQL.5432"
_LENGTH = 4  # bytes; a message's length counts itself, not the type byte before it


class _Session:
    """One connection through the proxy; the client's data message number `cut_at`, from 1, is not read any more."""

    def __init__(self, cut_at: int) -> None:
        self._before_cut = cut_at - 1

    async def to_server(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(await reader.readexactly(int.from_bytes(await _head(reader, writer)) - _LENGTH))
        while True:
            kind = await reader.readexactly(1)
            if kind == b"d":
                if self._before_cut == 0:
                    return
                self._before_cut -= 1
            writer.write(kind)
            writer.write(await reader.readexactly(int.from_bytes(await _head(reader, writer)) - _LENGTH))
            await writer.drain()

    async def to_client(self, reader: StreamReader, writer: StreamWriter) -> None:
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()


async def _head(reader: StreamReader, writer: StreamWriter) -> bytes:
    head = await reader.readexactly(_LENGTH)
    writer.write(head)
    return head


@asynccontextmanager
async def cutting_proxy(database_url: str, cut_at: int) -> AsyncIterator[str]:
    """Yield the address of a server that cuts each connection at its data message number `cut_at`, from 1."""
    address = make_url(database_url)
    upstream = Path(str(address.query["host"])) / _SOCKET

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(upstream)
        session = _Session(cut_at)
        ways = (
            asyncio.create_task(session.to_server(reader, to_server)),
            asyncio.create_task(session.to_client(from_server, writer)),
        )
        with suppress(asyncio.CancelledError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        to_server.transport.abort()
        writer.transport.abort()

    with tempfile.TemporaryDirectory(prefix="overround-cut-") as directory:
        server = await asyncio.start_unix_server(serve, Path(directory) / _SOCKET)
        try:
            yield address.update_query_dict({"host": directory}).render_as_string(hide_password=False)
        finally:
            server.close()
            await server.wait_closed()
