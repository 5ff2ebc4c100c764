"""Answers put together from fragments: a page of events, or one event, with freshness as of now."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from overround.api.event_desk import EventDesk
from overround.api.fragments import Fragment, MarketSet
from overround.api.gzip_splice import gzipped, stored
from overround.api.state import ApiState
from overround.caching.odds_cache import CachedSnapshot
from overround.event import Event

_ETAG_BYTES = 12
_NOT_MODIFIED = 304
_HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


class Freshness(msgspec.Struct, frozen=True, gc=False):
    """How old one bookmaker's word on an event is."""

    listing_id: str | None
    received_at: datetime | None
    confirmed_at: datetime | None
    age_seconds: float | None
    markets: int


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a body; of a fragment, which keeps its own compressed form, or made for this answer."""

    text: bytes
    fragment: Fragment | None = None


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
    parts = (stored(piece.text) if piece.fragment is None else piece.fragment.deflated for piece in pieces)
    return Response(
        gzipped(parts, body), media_type="application/json", headers={**headers, "Content-Encoding": "gzip"}
    )


def list_pieces(desk: EventDesk, page: Page, events: Iterable[Event], markets: MarketSet) -> tuple[list[Piece], str]:
    """Return a page's body and its ETag, which does not depend on when prices were confirmed."""
    state, now = desk.state, desk.state.clock.now()
    seen = hashlib.blake2b(msgspec.json.encode(page), digest_size=_ETAG_BYTES)
    opening = b'%s,"now":%s,"events":[' % (msgspec.json.encode(page)[:-1], msgspec.json.encode(now))
    pieces: list[Piece] = []
    for event in events:
        snapshots = state.cache.event(event.sr_id)
        fragment = desk.fragments.get(event, snapshots, markets)
        seen.update(fragment.digest)
        pieces.append(Piece(opening))
        pieces.append(Piece(fragment.body, fragment))
        opening = _freshness(state, fragment, snapshots, now) + b"},"
    closing = opening[:-1] if pieces else opening
    pieces.append(Piece(closing + b"]}"))
    return pieces, _etag(seen.hexdigest())


def event_pieces(desk: EventDesk, event: Event, markets: MarketSet) -> tuple[list[Piece], str]:
    """Return one event's body and its ETag."""
    state, now = desk.state, desk.state.clock.now()
    snapshots = state.cache.event(event.sr_id)
    fragment = desk.fragments.get(event, snapshots, markets)
    closing = b'%s,"now":%s}' % (_freshness(state, fragment, snapshots, now), msgspec.json.encode(now))
    return [Piece(fragment.body, fragment), Piece(closing)], _etag(fragment.digest.hex())


def _etag(digest: str) -> str:
    # Weak: answers of equal prices may differ in when they were confirmed.
    return f'W/"{digest}"'


def _freshness(state: ApiState, fragment: Fragment, snapshots: Mapping[str, CachedSnapshot], now: datetime) -> bytes:
    listings = state.book.listings_of(fragment.event.sr_id)
    known = {}
    for slug in state.bookmakers:
        listing = listings.get(slug)
        listing_id = None if listing is None else listing.listing_id
        cached = snapshots.get(slug)
        if cached is None:
            known[slug] = Freshness(listing_id, None, None, None, 0)
            continue
        age = round((now - cached.confirmed_at).total_seconds(), 1)
        known[slug] = Freshness(listing_id, cached.received_at, cached.confirmed_at, age, fragment.offered[slug])
    return b',"bookmakers":' + msgspec.json.encode(known)
