"""Is the process alive, and is it of use; neither asks a bookmaker."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import BaseModel

from overround.api.state import State
from overround.writing import FillState

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """A verdict, with the reasons where it is a bad one."""

    status: str
    reasons: list[str] = []


@router.get("/live")
async def live() -> Health:
    """Return 200 as long as the process serves requests."""
    return Health(status="live")


@router.get("/ready", responses={503: {"model": Health}})
async def ready(state: State, response: Response) -> Health:
    """Return 200 when the service answers from a warm cache and its writer runs; 503 with reasons otherwise."""
    reasons = _reasons(state)
    if reasons:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="not ready", reasons=reasons)
    return Health(status="ready")


def _reasons(state: State) -> list[str]:
    reasons = []
    if not state.database_ready.is_set():
        reasons.append("the database is away: prices are journalled until it returns")
    elif not state.warm.is_set():
        reasons.append("the cache is being filled from the database")
    if state.maintenance.partitions_short():
        reasons.append("fewer than two partitions are there for the time to come: maintenance fails")
    if state.write_queue is not None:
        stats = state.write_queue.stats()
        if not stats.running:
            reasons.append("the write queue is not running")
        if stats.last_error:
            reasons.append(f"the database does not take writes: {stats.last_error}")
        if stats.journal_error:
            reasons.append(f"the journal's disk refuses writes: {stats.journal_error}")
        if stats.fill is not FillState.NORMAL:
            reasons.append(f"the journal is {stats.fill_percent} % full: scraping is {stats.fill.value}")
    return reasons
