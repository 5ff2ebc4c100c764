"""Answers put together from fragments: a page of events, or one event, with freshness as of now."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from overround.api.answers import Answer, Piece
from overround.api.event_desk import EventDesk
from overround.api.fragments import MarketSet
from overround.event import Event

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
    pieces = [Piece(b'%s,"now":%s,"events":[' % (figures[:-1], msgspec.json.encode(now)))]
    for one in shown:
        pieces += one.pieces
    if shown:  # no comma behind the last one
        pieces[-1] = Piece(shown[-1].freshness + b"}")
    pieces.append(Piece(b"]}"))
    seen = hashlib.blake2b(b"".join([figures, *(one.fragment.digest for one in shown)]), digest_size=_ETAG_BYTES)
    return Answer(pieces, _etag(seen.hexdigest()))


async def event_answer(desk: EventDesk, event: Event, markets: MarketSet) -> Answer:
    """Return one event as of now."""
    await desk.prepare(event, markets, lambda: desk.state.clock.sleep(0))
    now = desk.state.clock.now()
    shown = desk.show(event, desk.state.cache.event(event.sr_id), markets)
    closing = b'%s,"now":%s}' % (shown.freshness, msgspec.json.encode(now))
    return Answer([shown.pieces[0], Piece(closing)], _etag(shown.fragment.digest.hex()))


def _etag(digest: str) -> str:
    # Weak: answers of equal prices may differ in when they were confirmed.
    return f'W/"{digest}"'
