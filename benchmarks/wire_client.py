"""An HTTP client that costs as little as one can, so that what it measures is the service.

aiohttp's client, which has rested between two requests, took up to a millisecond for a body of 400 kB on the machines
that the benchmarks ran on: as much as the service. This one has a blocking socket and one buffer.
"""

import contextlib
import socket
from collections.abc import Iterator

from overround.errors import OverroundError

IDENTITY = b"identity"
GZIP = b"gzip"
_TIMEOUT = 60  # seconds
_LARGEST = 16 * 2**20  # bytes of an answer
_HEAD_END = b"\r\n\r\n"


class WireClient:
    """One connection that is kept, for one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        """Build it on a connection that is open."""
        self._socket = connection
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)

    def get(self, path: str, encoding: bytes = IDENTITY) -> memoryview:
        """Return the body of a successful answer as it came; the next request overwrites it.

        Raises:
            OverroundError: the answer is not a success of a known length, or is cut off, or too long.
        """
        asked = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\n\r\n" % (path.encode(), encoding)
        self._socket.sendall(asked)
        received, end = 0, -1
        while end < 0:
            received += self._more(path, received)
            end = self._buffer.find(_HEAD_END, 0, received)
        start = end + len(_HEAD_END)
        stop = start + _length(path, bytes(self._view[:end]).lower())
        while received < stop:
            received += self._more(path, received)
        return self._view[start:stop]

    def _more(self, path: str, received: int) -> int:
        count = self._socket.recv_into(self._view[received:])
        if not count:
            raise OverroundError(f"{path} was answered with too much, or not to the end: {received} bytes")
        return count


@contextlib.contextmanager
def wire_client(address: str) -> Iterator[WireClient]:
    """Open a connection to an address such as "http://127.0.0.1:8000"."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield WireClient(connection)


def _length(path: str, head: bytes) -> int:
    status, _, headers = head.partition(b"\r\n")
    length = headers.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if b" 200 " not in status or not length:
        raise OverroundError(f"{path} was answered with {head[:200]!r}")
    return int(length)
