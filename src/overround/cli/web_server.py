"""uvicorn, as the commands run it."""

import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from overround.cli.service_file import announced
from overround.errors import OverroundError

_SHUTDOWN = 10  # seconds for requests under way


async def serve_app(app: FastAPI, *, host: str, port: int, data_dir: Path, ready_line: bool = True) -> None:
    """Serve until SIGINT or SIGTERM; announce the address in the data directory.

    Raises:
        OverroundError: the port is taken, or the service did not start.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise OverroundError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    address = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, lifespan="on", access_log=False, log_config=None, timeout_graceful_shutdown=_SHUTDOWN)
    server = _Server(config, f"Overround is at {address}" if ready_line else "")
    with announced(data_dir, address), listener:
        await server.serve(sockets=[listener])
    if not server.started:
        raise OverroundError("the service did not start; the log above has the reason")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready_line: str) -> None:
        super().__init__(config)
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready_line:
            print(self._ready_line, flush=True)  # noqa: T201 - the command's result
