"""The grid as it stands, for spreadsheets: a row for each event, market and outcome, a column for each bookmaker."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from overround.api.events.desk import EventDesk, desk_of
from overround.api.events.query import EventRequest, documented_parameters
from overround.api.framework.problems import Problem
from overround.caching.odds_cache import CachedSnapshot
from overround.catalogue import Market
from overround.records.event import Event
from overround.records.odds import MarketKey, price_text, shown_price
from overround.streaming.market_json import key_text

_AT_A_TIME: Final = 20
_FACTS = ("sr_id", "sport", "country", "tournament", "home", "away", "kickoff", "market", "name", "outcome")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXAMPLE = "sr_id,sport,country,tournament,home,away,kickoff,market,name,outcome,one,another\r\n"

Row = Sequence[object]

router = APIRouter(prefix="/api", tags=["events"])


@router.get(
    "/events.csv",
    response_class=StreamingResponse,
    response_model=None,
    openapi_extra={"parameters": list(documented_parameters(paged=False))},
    responses={
        200: {"description": "All matching events", "content": {"text/csv": {"example": _EXAMPLE}}},
        422: {"model": Problem},
    },
)
async def export_events(request: Request) -> StreamingResponse:
    """Return all matching events with the active prices of the chosen markets; an empty cell has none."""
    desk = desk_of(request)
    asked = desk.requests[request.scope["query_string"]]
    found = await desk.selected(asked)
    headers = {"Content-Disposition": 'attachment; filename="events.csv"', "Cache-Control": "no-cache"}
    return StreamingResponse(_lines(desk, found, asked), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(desk: EventDesk, events: Sequence[Event], asked: EventRequest) -> AsyncIterator[str]:
    yield _text([(*_FACTS, *desk.state.bookmakers)])
    for start in range(0, len(events), _AT_A_TIME):
        group = events[start : start + _AT_A_TIME]
        yield _text([row for event in group for row in _event_rows(desk, event, asked)])
        await desk.state.clock.sleep(0)


def _text(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _event_rows(desk: EventDesk, event: Event, asked: EventRequest) -> Iterator[Row]:
    snapshots = desk.state.cache.event(event.sr_id)
    kickoff = event.kickoff.isoformat().replace("+00:00", "Z")
    names = (event.sport, event.country, event.tournament, event.home, event.away)
    facts = (event.sr_id, *map(harmless, names), kickoff)
    for key in asked.markets.keys or ():
        market = desk.state.catalogue.find(key.market)
        if market is not None:
            for row in _market_rows(desk.state.bookmakers, market, key, snapshots):
                yield (*facts, *row)


def _market_rows(
    slugs: Mapping[str, str], market: Market, key: MarketKey, snapshots: Mapping[str, CachedSnapshot]
) -> Iterator[Row]:
    offers = [snapshots[slug].markets.get(key) if slug in snapshots else None for slug in slugs]
    for place, outcome in enumerate(market.outcomes):
        prices = (0 if offer is None or place >= len(offer.prices) else offer.prices[place] for offer in offers)
        yield (key_text(key), market.name, outcome, *map(_price, prices))


def _price(price: int) -> str:
    shown = shown_price(max(price, 0))
    return "" if shown is None else price_text(shown)


def harmless(text: str) -> str:
    """Return a bookmaker's text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
