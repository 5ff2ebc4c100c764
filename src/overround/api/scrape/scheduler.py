"""The schedule of scrape cycles: when is the next, pause, resume."""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.state import State

router = APIRouter(prefix="/api/scheduler", tags=["scheduler"])


class SchedulerView(BaseModel):
    """The schedule as it stands; `seconds_to_next_run` is null while paused or off."""

    running: bool
    paused: bool
    seconds_to_next_run: float | None
    short_interval_seconds: float
    long_interval_seconds: float


@router.get("")
async def read_scheduler(state: State) -> SchedulerView:
    """Return whether cycles are scheduled, and when the next begins."""
    return _view(state)


@router.post("/pause")
async def pause(state: State) -> SchedulerView:
    """Start no cycle until resumed; one under way goes on."""
    state.scheduler.pause()
    return _view(state)


@router.post("/resume")
async def resume(state: State) -> SchedulerView:
    """Go on with the schedule."""
    state.scheduler.resume()
    return _view(state)


def _view(state: State) -> SchedulerView:
    return SchedulerView(**msgspec.to_builtins(state.scheduler.status()))
