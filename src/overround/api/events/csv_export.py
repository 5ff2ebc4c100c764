"""The grid as it stands, for spreadsheets: a row for each event, market and outcome.

Each bookmaker has two columns: its price, and at the end why that takes part in no comparison.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from overround.api.events.desk import EventDesk, desk_of
from overround.api.events.query import EventRequest, documented_parameters
from overround.api.framework.problems import Problem
from overround.caching.event_register import is_shown_in_play
from overround.caching.odds_cache import CachedSnapshot
from overround.catalogue import Market
from overround.records.event import Event
from overround.records.odds import MarketKey, MarketPrices, State, outcome_state, price_text, shown_price
from overround.streaming.market_json import key_text

_AT_A_TIME: Final = 20
_FACTS = ("sr_id", "sport", "country", "tournament", "home", "away", "kickoff", "market", "name", "outcome")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXAMPLE = (
    "sr_id,sport,country,tournament,home,away,kickoff,market,name,outcome,one,another,one_reason,another_reason\r\n"
)

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
    """Return all matching events with the active prices of the chosen markets; an empty cell has none.

    The columns at the end say for each bookmaker why its price is not compared: `suspended`, `removed`, `unlisted`,
    `started` or `conflict`. They are empty for a price that is, and for an outcome that was never offered.
    """
    desk = desk_of(request)
    asked = desk.requests[request.scope["query_string"]]
    found = await desk.selected(asked)
    headers = {"Content-Disposition": 'attachment; filename="events.csv"', "Cache-Control": "no-cache"}
    return StreamingResponse(_lines(desk, found, asked), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(desk: EventDesk, events: Sequence[Event], asked: EventRequest) -> AsyncIterator[str]:
    slugs = tuple(desk.state.bookmakers)
    yield _text([(*_FACTS, *slugs, *(f"{slug}_reason" for slug in slugs))])
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
    hindrances = _hindrances(desk, event)
    for key in asked.markets.keys or ():
        market = desk.state.catalogue.find(key.market)
        if market is not None:
            for row in _market_rows(hindrances, market, key, snapshots):
                yield (*facts, *row)


def _hindrances(desk: EventDesk, event: Event) -> Mapping[str, str]:
    """Return by bookmaker why none of its active prices of an event compares; empty where they do."""
    everyone = ""
    if event.kickoff <= desk.state.clock.now() or is_shown_in_play(event):
        everyone = "started"
    elif event.conflict:
        everyone = "conflict"
    listed = desk.state.book.listings_of(event.sr_id)
    return {slug: everyone if slug in listed else "unlisted" for slug in desk.state.bookmakers}


def _market_rows(
    hindrances: Mapping[str, str], market: Market, key: MarketKey, snapshots: Mapping[str, CachedSnapshot]
) -> Iterator[Row]:
    offers = [snapshots[slug].markets.get(key) if slug in snapshots else None for slug in hindrances]
    for place, outcome in enumerate(market.outcomes):
        prices = [0 if offer is None or place >= len(offer.prices) else offer.prices[place] for offer in offers]
        reasons = map(_reason, offers, prices, hindrances.values())
        yield (key_text(key), market.name, outcome, *map(_price, prices), *reasons)


def _reason(offer: MarketPrices | None, price: int, hindrance: str) -> str:
    if offer is not None and offer.state is State.REMOVED:
        return State.REMOVED
    state = outcome_state(price)
    return hindrance if state is State.ACTIVE else (state or "")


def _price(price: int) -> str:
    shown = shown_price(max(price, 0))
    return "" if shown is None else price_text(shown)


def harmless(text: str) -> str:
    """Return a bookmaker's text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
