"""What the database holds."""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.framework.problems import Problem
from overround.api.state import State

router = APIRouter(prefix="/api/database", tags=["database"])


class InventoryView(BaseModel):
    """The schema's revision and the one that this release wants, and what is stored.

    `odds_snapshots` are stored snapshots that changed something, `market_odds` the market changes in them,
    `doubled` snapshot ids that are stored more than once: always 0.
    """

    revision: str | None
    head: str
    size_bytes: int
    events: int | None
    odds_snapshots: int | None
    market_odds: int | None
    doubled: int | None


@router.get("", responses={503: {"model": Problem}})
async def read_database(state: State) -> InventoryView:
    """Count what is stored; reads all of the history, which takes seconds on a large database."""
    return InventoryView(**msgspec.to_builtins(await state.inventory.get()))
