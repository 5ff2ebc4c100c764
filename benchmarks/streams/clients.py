"""The clients of `benchmark_streams`: little work for each, so that many fit on one processor."""

import asyncio
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from benchmarks.stream_mirror import Mirror

MARKETS: Final = "match_result,double_chance,total_goals:line=2.5,both_teams_to_score"
"""Those that the page shows at first: what the fast clients follow."""

MORE_MARKETS: Final = ",".join((MARKETS, *(f"total_goals:line={line}.5" for line in (0, 1, 3, 4, 5, 6))))
"""What the slow ones follow."""

_DELTA = re.compile(rb"id: \d+\.(\d+)\.\d+\nevent: delta\n")
_RECEIVE_BUFFER = 8 * 1024


class Client:
    """A connection to the stream; `arrivals` are (seq, time, how many changes) of what came after the image."""

    def __init__(self, *, mirrored: bool, pause: float = 0, burst: int = 2**18) -> None:
        """Apply what comes to a mirror, or only look for changes.

        With a `pause`: after the image read so many bytes at once, then nothing for so many seconds, until `hurry`.
        """
        self.mirror = Mirror() if mirrored else None
        self.slow = pause > 0
        self.markets = MORE_MARKETS if self.slow else MARKETS
        self.hurry = asyncio.Event()
        self._pause = pause
        self._burst = burst
        self._left = burst
        self.arrivals: list[tuple[int, float, int]] = []
        self.received = 0
        self.imaged = asyncio.Event()
        self._tail = b""

    async def follow(self, port: int) -> None:
        """Follow until the server ends the stream."""
        connection = socket.socket()
        if self.slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        limit = _RECEIVE_BUFFER if self.slow else 2**18
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
                received = await reader.read(min(left, 2**18))
                if not received:
                    return
                left -= len(received)
                self._take(received)
                if self.slow and self.imaged.is_set():
                    await self._rest(len(received))
            await reader.readexactly(2)

    async def _rest(self, read: int) -> None:
        """Read nothing for a while, where a burst is over."""
        self._left -= read
        if self._left <= 0:
            self._left = self._burst
            with suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), self._pause)

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
