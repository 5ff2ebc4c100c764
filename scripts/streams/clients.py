"""The clients of `benchmark_streams`: little work for each, so that many fit on one processor."""

import asyncio
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from scripts.stream_mirror import Mirror

MARKETS: Final = "match_result,double_chance,total_goals:line=2.5,both_teams_to_score"
"""Those that the page shows at first: what the fast clients follow."""

MORE_MARKETS: Final = ",".join((MARKETS, *(f"total_goals:line={line}.5" for line in (0, 1, 3, 4, 5, 6))))
"""What the slow ones follow."""

_DELTA = re.compile(rb"id: \d+\.(\d+)\.\d+\nevent: delta\n")
_RECEIVE_BUFFER = 32 * 1024
_SLICE = 0.1  # seconds


class Client:
    """A connection to the stream; `arrivals` are (seq, time, how many changes) of what came after the image."""

    def __init__(self, *, mirrored: bool, bytes_a_second: int | None = None) -> None:
        """Apply what comes to a mirror, or only look for changes; read slowly after the image where told so."""
        self.mirror = Mirror() if mirrored else None
        self.markets = MARKETS if bytes_a_second is None else MORE_MARKETS
        self.bytes_a_second = bytes_a_second
        self.arrivals: list[tuple[int, float, int]] = []
        self.received = 0
        self.imaged = asyncio.Event()
        self._tail = b""

    async def follow(self, port: int) -> None:
        """Follow until the server ends the stream."""
        connection = socket.socket()
        if self.bytes_a_second is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        limit = _RECEIVE_BUFFER if self.bytes_a_second is not None else 2**18
        reader, writer = await asyncio.open_connection(sock=connection, limit=limit)
        path = f"/api/stream?markets={self.markets}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._read(reader)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            left = size
            while left:
                received = await reader.read(min(left, self._at_once()))
                if not received:
                    return
                left -= len(received)
                self._take(received)
                if self.imaged.is_set() and self.bytes_a_second is not None:
                    await asyncio.sleep(len(received) / self.bytes_a_second)
            await reader.readexactly(2)

    def _at_once(self) -> int:
        return 2**18 if self.bytes_a_second is None else max(1024, int(self.bytes_a_second * _SLICE))

    def _take(self, received: bytes) -> None:
        at = time.perf_counter()
        self.received += len(received)
        if self.mirror is not None:
            self.mirror.feed(received)
            if self.mirror.complete:
                self.imaged.set()
        text = self._tail + received
        if not self.imaged.is_set():
            if b"event: image_end\n" in text:
                self.imaged.set()
            self._tail = text[-40:]
            return
        counts: dict[int, int] = {}
        end = 0
        for found in _DELTA.finditer(text):
            counts[int(found[1])] = counts.get(int(found[1]), 0) + 1
            end = found.end()
        self.arrivals += [(seq, at, count) for seq, count in counts.items()]
        self._tail = text[max(end, len(text) - 60) :]


def latencies(clients: list[Client], appended: Mapping[int, float]) -> list[float]:
    """Return how many milliseconds after its batch was journalled each change reached each client, in order."""
    return sorted(
        took
        for client in clients
        for seq, at, count in client.arrivals
        if seq in appended
        for took in [(at - appended[seq]) * 1000] * count
    )
