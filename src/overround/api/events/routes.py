"""Events with prices, from the cache."""

from fastapi import APIRouter, Request, Response

from overround.api.events.desk import desk_of
from overround.api.events.pages import event_answer, list_answer, response
from overround.api.events.query import documented_markets, documented_parameters
from overround.api.events.schemas import EventPage, SingleEvent
from overround.api.framework.problems import Problem
from overround.errors import UnknownEventError

router = APIRouter(prefix="/api/events", tags=["events"])


@router.get(
    "",
    response_class=Response,
    response_model=None,
    openapi_extra={"parameters": list(documented_parameters())},
    responses={
        200: {"content": {"application/json": {}}, "model": EventPage},
        304: {"description": "The prices are those that the ETag of If-None-Match stands for"},
        422: {"model": Problem},
    },
)
async def list_events(request: Request) -> Response:
    """Return events with all bookmakers' prices of the chosen markets."""
    return response(request, await list_answer(desk_of(request), request.scope["query_string"]))


@router.get(
    "/{sr_id}",
    response_class=Response,
    response_model=None,
    openapi_extra={"parameters": list(documented_markets())},
    responses={
        200: {"content": {"application/json": {}}, "model": SingleEvent},
        304: {"description": "The prices are those that the ETag of If-None-Match stands for"},
        404: {"model": Problem},
        422: {"model": Problem},
    },
)
async def read_event(request: Request, sr_id: int) -> Response:
    """Return one event with every market that any bookmaker has, or with those chosen."""
    desk = desk_of(request)
    markets = desk.markets[request.scope["query_string"]]
    event = desk.state.book.event(sr_id)
    if event is None:
        raise UnknownEventError(sr_id)
    return response(request, await event_answer(desk, event, markets))
