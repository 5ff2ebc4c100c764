"""What a standby answers while another service owns the database.

Apart because it is an answer of the API, which the command serves before there is a service.
"""

from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from overround.api.framework.problems import problem

_TEXT = "this service stands by: another one owns the database"
_RETRY_AFTER = "5"  # seconds


class StandbyApp:
    """An ASGI application: alive, not ready, and of no use for anything else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await _answer(scope["path"])(scope, receive, send)


def _answer(path: str) -> JSONResponse:
    if path == "/health/live":
        return JSONResponse({"status": "live", "reasons": []})
    if path == "/health/ready":
        return JSONResponse({"status": "standby", "reasons": [_TEXT]}, HTTPStatus.SERVICE_UNAVAILABLE)
    refusal = problem(HTTPStatus.SERVICE_UNAVAILABLE, "standby", _TEXT)
    refusal.headers["Retry-After"] = _RETRY_AFTER
    return refusal
