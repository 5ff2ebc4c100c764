"""Whether the prices in the cache make sense: the checks of `overround doctor --markets`."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from overround.api.state import State

MAX_FINDINGS = 10_000

router = APIRouter(prefix="/api/markets", tags=["markets"])


class FindingView(BaseModel):
    """Prices that do not fit together: a reason to look, not a proof."""

    event: str
    check: str
    bookmakers: list[str]
    market: str
    specifiers: str
    detail: str


class ChecksView(BaseModel):
    """What was looked at, and what was found; `total` counts all findings."""

    events: int
    markets: int
    total: int
    findings: list[FindingView]


@router.get("/checks")
async def check_markets(
    state: State,
    limit: Annotated[int, Query(ge=0, le=MAX_FINDINGS, description="how many findings to name")] = 1000,
) -> ChecksView:
    """Check the prices of all events now, within each bookmaker and between them; takes some seconds."""
    checked = await state.checks.get()
    named = [FindingView(**one) for one in checked.findings[:limit]]
    return ChecksView(events=checked.events, markets=checked.markets, total=len(checked.findings), findings=named)
