"""Answers put together from fragments: a page of events, or one event, with freshness as of now."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from overround.api.event_desk import EventDesk, Piece
from overround.api.fragments import MarketSet
from overround.api.gzip_splice import gzipped
from overround.event import Event

_ETAG_BYTES = 12
_NOT_MODIFIED = 304
_HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that stand before the events of a list."""

    total: int
    limit: int
    offset: int


def answer(request: Request, pieces: Sequence[Piece], etag: str) -> Response:
    """Return a body in the encoding that the client accepts, or 304 where it has the same prices already."""
    headers = {**_HEADERS, "ETag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    body = b"".join([piece.text for piece in pieces])
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type="application/json", headers=headers)
    packed = gzipped([piece.packed for piece in pieces], body)
    return Response(packed, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})


def list_pieces(desk: EventDesk, page: Page, events: Iterable[Event], markets: MarketSet) -> tuple[list[Piece], str]:
    """Return a page's body and its ETag, which does not depend on when prices were confirmed."""
    now = desk.state.clock.now()
    figures, shown = msgspec.json.encode(page), desk.shown(events, markets, now)
    pieces = [Piece(b'%s,"now":%s,"events":[' % (figures[:-1], msgspec.json.encode(now)))]
    for one in shown:
        pieces += one.pieces
    # Where there are events, a comma stands behind the last one.
    pieces.append(Piece((pieces.pop().text[:-1] if shown else b"") + b"]}"))
    seen = hashlib.blake2b(b"".join([figures, *(one.fragment.digest for one in shown)]), digest_size=_ETAG_BYTES)
    return pieces, _etag(seen.hexdigest())


def event_pieces(desk: EventDesk, event: Event, markets: MarketSet) -> tuple[list[Piece], str]:
    """Return one event's body and its ETag."""
    now = desk.state.clock.now()
    (shown,) = desk.shown([event], markets, now)
    closing = b'%s,"now":%s}' % (shown.freshness, msgspec.json.encode(now))
    return [Piece(shown.fragment.body, shown.fragment), Piece(closing)], _etag(shown.fragment.digest.hex())


def _etag(digest: str) -> str:
    # Weak: answers of equal prices may differ in when they were confirmed.
    return f'W/"{digest}"'
