"""The benchmarks' own HTTP client: it may be short, but must not take a refusal or half an answer for an answer."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from benchmarks.wire_client import GZIP, WireClient
from overround.errors import OverroundError

BODY = bytes(300_000)


@contextmanager
def answering(*answers: Sequence[bytes]) -> Iterator[tuple[WireClient, list[bytes]]]:
    """Yield a client, and the requests that it sends: each gets the pieces of an answer, the last one an end too."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    requests: list[bytes] = []

    def serve() -> None:
        for pieces in answers:
            requests.append(theirs.recv(1000))
            for piece in pieces:
                theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)

    serving = threading.Thread(target=serve)
    with ours, theirs:
        serving.start()
        yield WireClient(ours), requests
        serving.join()


def answer(status: str, body: bytes = b"", length: int | None = None) -> bytes:
    """Return an answer, announced as so long."""
    announced = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), announced, body)


def test_bodies_come_as_they_were_sent() -> None:
    """Head and body may come in any pieces, and one answer after the other over one connection."""
    large = answer("200 OK", BODY)
    with answering([large[:20], large[20:90_000], large[90_000:]], [answer("200 OK", b"{}")]) as (client, requests):
        assert bytes(client.get("/large")) == BODY
        assert bytes(client.get("/small", GZIP)) == b"{}"
    assert requests == [
        b"GET /large HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n",
        b"GET /small HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
    ]


@pytest.mark.parametrize(
    "sent", [answer("503 Service Unavailable", b"{}"), answer("200 OK", b"{}", length=3), b"HTTP/1.1 200 OK\r\n", b""]
)
def test_anything_but_a_whole_success_is_an_error(sent: bytes) -> None:
    """A refusal, an answer that is cut off, and none at all name the path that was asked for."""
    with answering([sent]) as (client, _), pytest.raises(OverroundError, match="/path"):
        client.get("/path")
