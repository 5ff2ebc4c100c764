"""A FastAPI route that answers with as many bytes as its argument says, and no more: `... bare_route 200000`.

Its event loop is the service's, so that it is a limit for the service: asyncio's own is slower.
"""

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from overround import runtime as process

PATH = "/bare"


def build(size: int, path: str = "/") -> FastAPI:
    """Return the application."""
    app, body = FastAPI(), b"[" + b"0," * (size // 2 - 1) + b"0]"

    @app.get(path)
    async def answer() -> Response:
        return Response(body, media_type="application/json")

    return app


def beside(app: ASGIApp, size: int) -> ASGIApp:
    """Serve the route at `PATH` in the same process as another application, and under the same load."""
    bare = build(size, PATH)

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        await (bare if scope.get("path") == PATH else app)(scope, receive, send)

    return chosen


async def _serve(size: int) -> None:
    server = uvicorn.Server(uvicorn.Config(build(size), log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]), name="route")
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await task


if __name__ == "__main__":
    process.run(_serve(int(sys.argv[1])))
