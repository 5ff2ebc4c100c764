"""The sockets on which the API is served."""

import socket

from overround.cli.web_server import listening

_HALF_A_MEGABYTE = 2**19


def test_the_kernel_keeps_little_for_a_client_that_does_not_read() -> None:
    """A connection's send buffer is small and stays so: a stream's backlog is the service's, which conflates it."""
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < _HALF_A_MEGABYTE


def test_an_answer_is_sent_without_waiting_for_the_client() -> None:
    """A body does not wait until its head is acknowledged, whatever the event loop does with sockets of others."""
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
