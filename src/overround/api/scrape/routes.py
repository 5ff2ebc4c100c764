"""Scrape runs: start them, retry what failed, and see how they went."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from overround.api.framework.problems import Problem
from overround.api.scrape.views import (
    EventScrapeView,
    RunChanges,
    RunChangeView,
    RunDetailView,
    RunPage,
    RunView,
    StartedRun,
    change_view,
    failure_views,
    run_facts,
)
from overround.api.state import ApiState, State
from overround.errors import UnknownRunError
from overround.records.batch import ScrapeRun

router = APIRouter(prefix="/api/scrape", tags=["scrape"])

_BIGINT = 2**63 - 1
_MOST = 200

RunId = Annotated[int, Path(ge=1, le=_BIGINT)]
EventId = Annotated[int, Path(ge=1, le=_BIGINT)]


@router.post("/start", status_code=HTTPStatus.ACCEPTED, responses={409: {"model": Problem}})
async def start_cycle(state: State) -> StartedRun:
    """Start a full cycle in the background; there is one at a time."""
    return StartedRun(run_id=state.control.start_cycle())


@router.post("/event/{sr_id}", responses={404: {"model": Problem}, 429: {"model": Problem}})
async def scrape_event(state: State, sr_id: EventId) -> EventScrapeView:
    """Scrape one event at every bookmaker that lists it, and return the finished run with what it changed."""
    scrape = await state.control.scrape_event(sr_id)
    facts = run_facts(scrape.run, state.control.detail(scrape.run.run_id))
    changes = [change_view(state.catalogue, change) for change in scrape.changes]
    return EventScrapeView(**facts, shared=scrape.shared, changes=changes)


@router.get("/runs")
async def list_runs(
    state: State,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    before: Annotated[int | None, Query(ge=1, le=_BIGINT, description="only runs with a smaller id")] = None,
) -> RunPage:
    """Return the newest runs."""
    runs = state.control.runs()
    chosen = [run for run in runs if before is None or run.run_id < before][:limit]
    views = [RunView(**run_facts(run, state.control.detail(run.run_id))) for run in chosen]
    return RunPage(total=len(runs), runs=views)


@router.get("/runs/{run_id}", responses={404: {"model": Problem}})
async def read_run(state: State, run_id: RunId) -> RunDetailView:
    """Return one run with its failures, one by one."""
    run = _known(state, run_id)
    detail = state.control.detail(run_id)
    failures = None if detail is None else failure_views(state.book, detail.failures)
    return RunDetailView(**run_facts(run, detail), failures=failures)


@router.get("/runs/{run_id}/changes", responses={404: {"model": Problem}, 503: {"model": Problem}})
async def read_run_changes(
    state: State,
    run_id: RunId,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=_BIGINT)] = 0,
) -> RunChanges:
    """Return which events a run changed at which bookmaker; `history` has the prices before and after."""
    _known(state, run_id)
    found = await state.history.changed_in(run_id, limit, offset)
    totals = (found[0].total, found[0].total_markets) if found else (0, 0)
    return RunChanges(
        run_id=run_id,
        total=totals[0],
        total_markets=totals[1],
        limit=limit,
        offset=offset,
        changes=[RunChangeView.model_validate(one, from_attributes=True) for one in found],
    )


@router.post(
    "/runs/{run_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses={404: {"model": Problem}, 409: {"model": Problem}},
)
async def retry_run(state: State, run_id: RunId) -> StartedRun:
    """Start a run over what a run did not get; failed discovery calls are made again by the next cycle."""
    return StartedRun(run_id=state.control.retry_failures(run_id))


def _known(state: ApiState, run_id: int) -> ScrapeRun:
    run = next((run for run in state.control.runs() if run.run_id == run_id), None)
    if run is None:
        raise UnknownRunError(run_id)
    return run
