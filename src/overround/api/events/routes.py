"""Events with prices over HTTP, from the cache: a page of them, or one; freshness as of now."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from fastapi import APIRouter, Request, Response

from overround.api.events.answers import Answer, BodyPiece
from overround.api.events.desk import EventDesk, desk_of
from overround.api.events.fragments import MarketSet
from overround.api.events.query import documented_markets, documented_parameters
from overround.api.events.schemas import EventPage, SingleEvent
from overround.api.framework.problems import Problem
from overround.errors import UnknownEventError
from overround.records.event import Event

_ETAG_BYTES = 12
_NOT_MODIFIED = 304
_HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that stand before the events of a list."""

    total: int
    limit: int
    offset: int


def response(request: Request, answer: Answer) -> Response:
    """Return a body in the encoding that the client accepts, or 304 where it has the same prices already."""
    headers = {**_HEADERS, "ETag": answer.etag}
    if answer.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(answer.body, media_type="application/json", headers=headers)
    return Response(answer.packed, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})


async def list_answer(desk: EventDesk, query: bytes) -> Answer:
    """Return the page of events that a query string asks for."""
    moment = desk.moment()
    answer = desk.answers.get(moment, query)
    if answer is None:
        asked = desk.requests[query]
        found = await desk.selected(asked)
        page = Page(total=len(found), limit=asked.limit, offset=asked.offset)
        answer = page_answer(desk, page, found[asked.offset : asked.offset + asked.limit], asked.markets)
        desk.answers.keep(moment, query, answer)
    return answer


def page_answer(desk: EventDesk, page: Page, events: Iterable[Event], markets: MarketSet) -> Answer:
    """Return a page as of now; its ETag does not depend on when prices were confirmed."""
    now = desk.state.clock.now()
    figures, shown = msgspec.json.encode(page), desk.shown(events, markets, now)
    pieces = [BodyPiece(b'%s,"now":%s,"events":[' % (figures[:-1], msgspec.json.encode(now)))]
    for one in shown:
        pieces += one.pieces
    if shown:  # no comma behind the last one
        pieces[-1] = BodyPiece(shown[-1].freshness + b"}")
    pieces.append(BodyPiece(b"]}"))
    seen = hashlib.blake2b(b"".join([figures, *(one.fragment.digest for one in shown)]), digest_size=_ETAG_BYTES)
    return Answer(pieces, _etag(seen.hexdigest()))


async def event_answer(desk: EventDesk, event: Event, markets: MarketSet) -> Answer:
    """Return one event as of now."""
    await desk.prepare(event, markets, lambda: desk.state.clock.sleep(0))
    now = desk.state.clock.now()
    shown = desk.show(event, desk.state.cache.event(event.sr_id), markets)
    closing = b'%s,"now":%s}' % (shown.freshness, msgspec.json.encode(now))
    return Answer([shown.pieces[0], BodyPiece(closing)], _etag(shown.fragment.digest.hex()))


def _etag(digest: str) -> str:
    # Weak: answers of equal prices may differ in when they were confirmed.
    return f'W/"{digest}"'


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
