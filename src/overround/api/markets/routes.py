"""The catalogue, and how much of what the bookmakers offer it maps."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from overround.api.framework.problems import Problem
from overround.api.state import ApiState, State
from overround.catalogue import Market
from overround.errors import UnknownMarketError
from overround.pricing.reports import coverage_report, definition

MAX_LIMIT = 1000

MarketKeyText = Annotated[str, Path(max_length=200, examples=["match_result"])]

router = APIRouter(prefix="/api/markets", tags=["markets"])


class MarketDefinition(BaseModel):
    """A market of the catalogue, and the bookmakers whose mapping leads to it.

    `probability_sum` is null where no rule gives it.
    """

    number: int
    key: str
    name: str
    sport: str
    group: str
    counts: str
    side: str
    period: str
    settles: str
    overtime: bool
    parts: list[str]
    specifiers: list[str]
    outcomes: list[str]
    probability_sum: int | None
    mapped_by: list[str]


class MarketPage(BaseModel):
    """The markets that match; `total` counts all of them."""

    total: int
    limit: int
    offset: int
    markets: list[MarketDefinition]


class UnmappedView(BaseModel):
    """A bookmaker's market that no mapping knows, and how often it occurred."""

    id: str
    name: str
    count: int


class DroppedView(BaseModel):
    """A reason for which input was not used, and how often."""

    reason: str
    count: int


class EventCoverageView(BaseModel):
    """One listing's newest body."""

    listing_id: str
    mapped: int
    lost: int
    share: float | None


class CoverageView(BaseModel):
    """One bookmaker and sport, over the newest body of every listing since the start; `share` is a fraction."""

    bookmaker: str
    sport: str
    events: int
    mapped: int
    unmapped_count: int
    dropped_count: int
    share: float | None
    unmapped: list[UnmappedView]
    dropped: list[DroppedView]
    worst: list[EventCoverageView]


class CoverageReport(BaseModel):
    """Coverage by bookmaker and sport."""

    coverage: list[CoverageView]


@router.get("")
async def list_markets(
    state: State,
    sport: Annotated[str, Query(max_length=50)] = "",
    group: Annotated[str, Query(max_length=50)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> MarketPage:
    """Return the definitions of all markets of the catalogue, by number."""
    found = [market for market in state.catalogue if sport in ("", market.sport) and group in ("", market.group)]
    found.sort(key=lambda market: market.number)
    page = [_view(state, market) for market in found[offset : offset + limit]]
    return MarketPage(total=len(found), limit=limit, offset=offset, markets=page)


@router.get("/coverage")
async def read_coverage(
    state: State, worst: Annotated[int, Query(ge=0, le=MAX_LIMIT, description="how many events to name")] = 10
) -> CoverageReport:
    """Return how much of what was scraped since the start is mapped, and what is missing."""
    return CoverageReport(**coverage_report(state.coverage.events(), worst))


@router.get("/{key}", responses={404: {"model": Problem}})
async def read_market(state: State, key: MarketKeyText) -> MarketDefinition:
    """Return one market's definition."""
    market = state.catalogue.find(key)
    if market is None:
        raise UnknownMarketError(key)
    return _view(state, market)


def _view(state: ApiState, market: Market) -> MarketDefinition:
    return MarketDefinition(**definition(market, state.covered))
