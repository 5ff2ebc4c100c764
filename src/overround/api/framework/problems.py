"""Errors over HTTP: one shape for all, RFC 9457 problem details with a stable `code`."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from overround.errors import (
    CoolingDownError,
    DatabaseUnavailableError,
    JournalFullError,
    JournalWriteError,
    NothingHeldError,
    NothingToRetryError,
    OwnedElsewhereError,
    QueueClosedError,
    RecoveringError,
    RunInProgressError,
    SettingsError,
    TooManyStreamsError,
    UnknownDeadLetterError,
    UnknownEventError,
    UnknownListingError,
    UnknownMarketError,
    UnknownRunError,
)

MEDIA_TYPE = "application/problem+json"
_RECOVERING_RETRY = 5  # seconds
REQUEST_ID = "overround.request_id"  # where a request's scope has it

# By number and not by phrase: Python's phrases change between versions.
_HTTP_CODES: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "bad_request",
        HTTPStatus.NOT_FOUND: "not_found",
        HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    }
)

_log = structlog.get_logger(__name__)


class BodyTooLargeError(HTTPException):
    """A request's body turned out to be larger than the service reads.

    FastAPI takes any other error from reading a body for a body that cannot be parsed.
    """

    def __init__(self, most: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {most} bytes")


class Problem(BaseModel):
    """Problem details; `code` is for programs, `detail` for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    run_id: int | None = None


def problem(status: HTTPStatus, code: str, detail: str, *, run_id: int | None = None) -> JSONResponse:
    """Return an error answer."""
    body = Problem(title=status.phrase, status=status, code=code, detail=detail, run_id=run_id)
    return JSONResponse(body.model_dump(exclude_none=True), status_code=status, media_type=MEDIA_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Turn every error, expected or not, into problem details."""
    app.add_exception_handler(UnknownEventError, _unknown_event)
    app.add_exception_handler(UnknownDeadLetterError, _unknown_dead_letter)
    app.add_exception_handler(DatabaseUnavailableError, _database_unavailable)
    for refused in (QueueClosedError, JournalFullError, JournalWriteError):
        app.add_exception_handler(refused, _queue_refuses)
    app.add_exception_handler(OwnedElsewhereError, _owned_elsewhere)
    app.add_exception_handler(RecoveringError, _recovering)
    app.add_exception_handler(RunInProgressError, _run_in_progress)
    app.add_exception_handler(UnknownRunError, _unknown_run)
    app.add_exception_handler(UnknownMarketError, _unknown_market)
    app.add_exception_handler(UnknownListingError, _unknown_listing)
    app.add_exception_handler(NothingToRetryError, _nothing_to_retry)
    app.add_exception_handler(CoolingDownError, _cooling_down)
    app.add_exception_handler(SettingsError, _settings_invalid)
    app.add_exception_handler(TooManyStreamsError, _too_many_streams)
    app.add_exception_handler(NothingHeldError, _nothing_held)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _unknown_event(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "unknown_event", str(error))


async def _unknown_dead_letter(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "unknown_dead_letter", str(error))


async def _database_unavailable(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", str(error))


async def _queue_refuses(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "queue_refuses", str(error))


async def _owned_elsewhere(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "owned_elsewhere", str(error))


async def _recovering(_: Request, error: Exception) -> JSONResponse:
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, "recovering", str(error))
    response.headers["Retry-After"] = str(_RECOVERING_RETRY)
    return response


async def _run_in_progress(_: Request, error: Exception) -> JSONResponse:
    run_id = error.run_id if isinstance(error, RunInProgressError) else None
    return problem(HTTPStatus.CONFLICT, "run_in_progress", str(error), run_id=run_id)


async def _unknown_run(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "unknown_run", str(error))


async def _unknown_market(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "unknown_market", str(error))


async def _unknown_listing(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "unknown_listing", str(error))


async def _nothing_to_retry(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.CONFLICT, "nothing_to_retry", str(error))


async def _settings_invalid(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "settings_invalid", str(error))


async def _too_many_streams(_: Request, error: Exception) -> JSONResponse:
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_streams", str(error))
    response.headers["Connection"] = "close"  # its connection is worth more to somebody who is served
    return response


async def _nothing_held(_: Request, error: Exception) -> JSONResponse:
    return problem(HTTPStatus.NOT_FOUND, "nothing_held", str(error))


async def _cooling_down(_: Request, error: Exception) -> JSONResponse:
    response = problem(HTTPStatus.TOO_MANY_REQUESTS, "cooling_down", str(error))
    wait = error.retry_after if isinstance(error, CoolingDownError) else 1.0
    response.headers["Retry-After"] = str(math.ceil(wait))
    return response


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail)


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    response = problem(status, _HTTP_CODES.get(status, f"http_{status.value}"), error.detail)
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    request_id = request.scope.get(REQUEST_ID)
    _log.error("request_failed", path=request.scope["path"], request_id=request_id, exc_info=error)
    detail = f"an unexpected error; the log has the details under request_id {request_id}"
    response = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)
    # This answer is made outside all middleware.
    response.headers.update({"X-Content-Type-Options": "nosniff", "X-Request-ID": str(request_id)})
    return response
