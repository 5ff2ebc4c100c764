"""Scrape runs: start them, and see how they went."""

from datetime import datetime
from http import HTTPStatus

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.problems import Problem
from overround.api.state import State
from overround.batch import ScrapeRun

router = APIRouter(prefix="/api/scrape", tags=["scrape"])


class StartedRun(BaseModel):
    """A run that has been started."""

    run_id: int


class RunCounts(BaseModel):
    """What a run did at one bookmaker, in snapshots."""

    listings: int
    changed: int
    confirmed: int
    incomplete: int
    stale: int
    failed: int
    discovery_failed: int
    unmapped: int
    dropped: int


class RunView(BaseModel):
    """A scrape run as it stands."""

    run_id: int
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    events: int
    counts: dict[str, RunCounts]
    errors: dict[str, int]


class RunPage(BaseModel):
    """The newest runs, newest first."""

    total: int
    runs: list[RunView]


@router.post("/start", status_code=HTTPStatus.ACCEPTED, responses={409: {"model": Problem}})
async def start_cycle(state: State) -> StartedRun:
    """Start a full cycle in the background; there is one at a time."""
    return StartedRun(run_id=state.control.start_cycle())


@router.post("/event/{sr_id}", responses={404: {"model": Problem}})
async def scrape_event(state: State, sr_id: int) -> RunView:
    """Scrape one event at every bookmaker that lists it, and return the finished run."""
    return _view(await state.control.scrape_event(sr_id))


@router.get("/runs")
async def list_runs(state: State) -> RunPage:
    """Return the newest runs."""
    runs = [_view(run) for run in state.control.runs()]
    return RunPage(total=len(runs), runs=runs)


def _view(run: ScrapeRun) -> RunView:
    return RunView.model_validate(msgspec.to_builtins(run, builtin_types=(datetime,)))
