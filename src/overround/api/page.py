"""The plain page at `/`: events by bookmaker, rendered here, no script needed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, select_autoescape

from overround.api.event_schemas import BookmakerMarket, EventView, OutcomePrice
from overround.api.event_views import DEFAULT_MARKETS, event_view, matching_events
from overround.api.state import State
from overround.batch import RunKind, ScrapeRun
from overround.odds import parse_price

_PAGE_SIZE = 100
_MINUTE, _HOUR = 60, 3600

router = APIRouter(include_in_schema=False)


def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("overround.api"), autoescape=select_autoescape())
    environment.filters["age"] = age_text
    environment.filters["percent"] = percent_text
    environment.filters["kickoff"] = kickoff_text
    environment.filters["movement"] = movement
    return environment


def age_text(seconds: float | None) -> str:
    """Return an age as a trader reads it: "12 s", "4 min", "3 h"."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    return f"{int(seconds // _MINUTE)} min" if seconds < _HOUR else f"{int(seconds // _HOUR)} h"


def percent_text(fraction: float | None) -> str:
    """Return a margin in percent with one decimal."""
    return "-" if fraction is None else f"{fraction * 100:.1f}"


def kickoff_text(kickoff: datetime) -> str:
    """Return a kick-off in UTC, to the minute."""
    return f"{kickoff:%a %d %b %H:%M}"


def _last_cycle_start(runs: Sequence[ScrapeRun]) -> datetime | None:
    """Return when the newest cycle began; what changed since is shown as movement."""
    return next((run.started_at for run in runs if run.kind is not RunKind.EVENT), None)


def movement(outcome: OutcomePrice) -> str:
    """Return "up" or "down" where a price differs from the one before, else nothing."""
    if outcome.price is None or outcome.previous is None or outcome.price == outcome.previous:
        return ""
    return "up" if parse_price(outcome.price) > parse_price(outcome.previous) else "down"


_TEMPLATES = _environment()


@router.get("/", response_class=HTMLResponse)
async def desk(
    request: Request,
    state: State,
    text: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    """Show events with the default markets at every bookmaker."""
    found = matching_events(state, text)
    views = [event_view(state, event, DEFAULT_MARKETS) for event in found[offset : offset + _PAGE_SIZE]]
    runs = state.control.runs()
    content = _TEMPLATES.get_template("desk.html").render(
        request=request,
        events=[(view, _rows(view)) for view in views],
        markets=views[0].markets if views else [],
        names=state.bookmakers,
        reference=state.reference,
        text=text,
        total=len(found),
        offset=offset,
        page_size=_PAGE_SIZE,
        now=state.clock.now(),
        run=runs[0] if runs else None,
        moved_since=_last_cycle_start(runs),
    )
    return HTMLResponse(content)


Cell = tuple[BookmakerMarket | None, tuple[bool, ...]]


def _rows(view: EventView) -> dict[str, list[Cell]]:
    """Return each bookmaker's cell per market, with which of its prices are the best on offer."""
    return {
        slug: [(market.bookmakers.get(slug), _best(market.bookmakers, slug)) for market in view.markets]
        for slug in view.bookmakers
    }


def _best(bookmakers: dict[str, BookmakerMarket], slug: str) -> tuple[bool, ...]:
    own = bookmakers.get(slug)
    if own is None:
        return ()
    return tuple(
        len(bookmakers) > 1 and outcome.state == "active" and _is_best(bookmakers, index, outcome.price)
        for index, outcome in enumerate(own.outcomes)
    )


def _is_best(bookmakers: dict[str, BookmakerMarket], index: int, price: str | None) -> bool:
    rivals = (market.outcomes[index] for market in bookmakers.values() if index < len(market.outcomes))
    offered = [parse_price(rival.price) for rival in rivals if rival.state == "active" and rival.price]
    return price is not None and bool(offered) and parse_price(price) == max(offered)
