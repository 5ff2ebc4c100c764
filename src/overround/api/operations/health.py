"""Is the process alive, and is it of use; neither asks a bookmaker."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel

from overround.api.operations.alerts import degraded, not_ready, reasons, recovering
from overround.api.state import State
from overround.upkeep.health import Reason

router = APIRouter(prefix="/health", tags=["health"])


class ReasonView(BaseModel):
    """Something that is not well: `code` is for programs, `text` for people; `bookmaker` only where it is about one."""

    code: str
    text: str
    since: datetime
    bookmaker: str | None = None


class Health(BaseModel):
    """A verdict, with the reasons where it is not the best one; `percent` is how far a recovery is."""

    status: str
    reasons: list[ReasonView] = []
    percent: int | None = None


@router.get("/live", response_model_exclude_none=True)
async def live() -> Health:
    """Return 200 as long as the process serves requests."""
    return Health(status="live")


@router.get("/ready", response_model_exclude_none=True, responses={503: {"model": Health}})
async def ready(state: State, response: Response) -> Health:
    """Return 200 while prices are served and journalled, and 503 with reasons otherwise.

    The status is `ready`; `degraded` with reasons, where something is wrong all the same; `recovering` while the cache
    takes over the journal of an earlier process; else `not ready`.
    """
    found = reasons(state)
    views = [_view(reason) for reason in degraded(found)]
    if not not_ready(found):
        return Health(status="degraded" if views else "ready", reasons=views)
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    progress = recovering(state)
    if progress is not None:
        return Health(status="recovering", reasons=views, percent=progress.percent)
    return Health(status="not ready", reasons=views)


def _view(reason: Reason) -> ReasonView:
    return ReasonView(code=reason.code, text=reason.text, since=reason.since, bookmaker=reason.bookmaker or None)
