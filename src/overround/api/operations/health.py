"""Is the process alive, and is it of use; neither asks a bookmaker."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel

from overround.api.operations.alerts import degraded, not_ready, recovering
from overround.api.state import State

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """A verdict, with the reasons where it is a bad one; `percent` is how far a recovery is."""

    status: str
    reasons: list[str] = []
    percent: int | None = None


@router.get("/live", response_model_exclude_none=True)
async def live() -> Health:
    """Return 200 as long as the process serves requests."""
    return Health(status="live")


@router.get("/ready", response_model_exclude_none=True, responses={503: {"model": Health}})
async def ready(state: State, response: Response) -> Health:
    """Return 200 when the service answers from a warm cache and its writer runs; 503 with reasons otherwise.

    The status is `degraded`, still with 200, where prices are served and journalled and something else is wrong: the
    clock, or what the database remembers. It is `recovering` while the cache takes over what an earlier process
    journalled.
    """
    reasons = [alert.text for alert in not_ready(state)]
    if reasons:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        progress = recovering(state)
        if progress is not None:
            return Health(status="recovering", reasons=reasons, percent=progress.percent)
        return Health(status="not ready", reasons=reasons)
    if doubts := [alert.text for alert in degraded(state)]:
        return Health(status="degraded", reasons=doubts)
    return Health(status="ready")
