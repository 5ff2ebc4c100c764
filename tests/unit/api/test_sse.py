"""Streams whose clients take nothing end all the same."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from overround.api.streams import routes as sse
from overround.api.streams.desk import Seats
from overround.api.streams.routes import EventStream

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/api/stream"}


class Stuck:
    """A client that takes the head of an answer and nothing of its body, and stays connected."""

    def __init__(self) -> None:
        self.blocked = asyncio.Event()
        self.closed = False

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield one message, and note that the source was closed."""
        try:
            yield b"data: 1\n\n"
        finally:
            self.closed = True

    def asgi(self) -> tuple[Receive, Send]:
        """Return the server's side of the connection."""

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("nobody ends this wait")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.blocked.set()
                await asyncio.Event().wait()

        return receive, send


async def test_a_stop_ends_a_stream_that_its_client_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortly after the service is to stop the stream is given up, and its source is closed."""
    monkeypatch.setattr(sse, "_FAREWELL", 0.01)
    client, stopping = Stuck(), asyncio.Event()
    serving = asyncio.create_task(EventStream(client.messages(), stopping, Seats(1))(SCOPE, *client.asgi()))
    await client.blocked.wait()
    stopping.set()
    await serving
    assert client.closed


async def test_a_client_that_takes_nothing_for_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A send that does not come to an end within the limit ends the stream."""
    monkeypatch.setattr(sse, "_SEND_TIMEOUT", 0.01)
    client = Stuck()
    await EventStream(client.messages(), asyncio.Event(), Seats(1))(SCOPE, *client.asgi())
    assert client.closed
