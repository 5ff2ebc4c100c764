"""The sockets on which the API is served."""

import socket
from collections.abc import Iterator

import pytest

from overround.cli.web_server import listening

_ANSWER = bytes(430_000)  # an event with all its markets
_EXCHANGES = 50
_KEPT_AT_MOST = 256 * 1024

Connection = tuple[socket.socket, socket.socket]


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection: the service's end, which waits for nothing, and the client's."""
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=10) as client,
        listener.accept()[0] as accepted,
    ):
        accepted.setblocking(False)
        yield accepted, client


def taken(accepted: socket.socket, data: bytes) -> int:
    """Return how many bytes the kernel takes now."""
    try:
        return accepted.send(data)
    except BlockingIOError:
        return 0


def exchange(accepted: socket.socket, client: socket.socket) -> int:
    """Let the client read an answer; return how many bytes of it the kernel took at first."""
    at_first = sent = taken(accepted, _ANSWER)
    received = 0
    while received < len(_ANSWER):
        received += len(client.recv(len(_ANSWER)))
        if sent < len(_ANSWER):
            sent += taken(accepted, _ANSWER[sent:])
    return at_first


def test_the_kernel_keeps_little_for_a_client_that_does_not_read(connection: Connection) -> None:
    """A client that takes nothing is soon sent nothing: a stream's backlog is the service's, which conflates it."""
    accepted, _ = connection
    sent = 0
    while more := taken(accepted, _ANSWER):
        sent += more
    assert sent < _KEPT_AT_MOST


def test_an_answer_to_a_client_that_reads_goes_out_in_one_go(connection: Connection) -> None:
    """Once the client is known to read, a large answer takes one turn of the event loop."""
    assert any(exchange(*connection) == len(_ANSWER) for _ in range(_EXCHANGES))


def test_an_answer_is_sent_without_waiting_for_the_client(connection: Connection) -> None:
    """A body does not wait until its head is acknowledged, whatever the event loop does with sockets of others."""
    accepted, _ = connection
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
