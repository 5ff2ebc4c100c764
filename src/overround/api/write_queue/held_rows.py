"""Bookmakers whose rows are held back: listed, tried again, dropped."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from overround.api.framework.problems import Problem
from overround.api.state import State
from overround.api.write_queue.routes import HeldBookmakerView

router = APIRouter(
    prefix="/api/queue/held",
    tags=["queue"],
    responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": Problem, "description": "The database does not answer"}},
)

_NOTHING_HELD: Final[Mapping[int | str, dict[str, Any]]] = {
    HTTPStatus.NOT_FOUND: {"model": Problem, "description": "No rows of that bookmaker are held back"}
}


class HeldView(BaseModel):
    """The bookmakers whose rows are held back, since too many of them fail for their content."""

    bookmakers: Sequence[HeldBookmakerView]


class ChosenBookmaker(BaseModel):
    """One bookmaker, by its slug."""

    model_config = ConfigDict(extra="forbid")

    bookmaker: Annotated[str, Field(min_length=1, max_length=100)]


class TrialView(BaseModel):
    """Whether held rows could be written, and why not; `applied` and `dead` are in snapshots and confirmations."""

    bookmaker: str
    passed: bool
    reason: str
    rows: int
    applied: int
    dead: int


class DroppedRowsView(BaseModel):
    """Held rows that were deleted, with the snapshots and confirmations in them."""

    bookmaker: str
    rows: int
    snapshots: int


@router.get("")
async def list_held_rows(state: State) -> HeldView:
    """Return the bookmakers whose rows are held back, each with a reason."""
    held = state.held_rows.holds.shown()
    return HeldView(bookmakers=[HeldBookmakerView(**msgspec.structs.asdict(one)) for one in held])


@router.post("/retry", responses={**_NOTHING_HELD})
async def retry_held_rows(state: State, chosen: ChosenBookmaker) -> TrialView:
    """Try a bookmaker's held rows now; where its content can be written, all are, in their order."""
    return TrialView(**msgspec.structs.asdict(await state.held_rows.retry(chosen.bookmaker)))


@router.post("/drop", responses={**_NOTHING_HELD})
async def drop_held_rows(state: State, chosen: ChosenBookmaker) -> DroppedRowsView:
    """Delete a bookmaker's held rows for good; its next prices are written as usual."""
    dropped = await state.held_rows.drop(chosen.bookmaker)
    return DroppedRowsView(bookmaker=chosen.bookmaker, rows=dropped.rows, snapshots=dropped.dead)
