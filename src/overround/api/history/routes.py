"""An event's history over HTTP, from the database."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from overround.api.events.query import DEFAULT_MARKETS, parse_markets
from overround.api.framework.problems import Problem
from overround.api.history.series import Place, Range, Series, all_series
from overround.api.state import ApiState, State
from overround.errors import UnknownEventError
from overround.records.odds import MarketKey
from overround.records.stored import StoredChange


class QuoteModel(BaseModel):
    """An active price, and since when."""

    at: datetime
    price: str | None


class PointModel(BaseModel):
    """From an instant on, this price and state (active, suspended or removed); without a price it is a gap."""

    at: datetime
    price: str | None
    state: str


class SeriesModel(BaseModel):
    """One outcome of a market at one bookmaker: steps, each of which holds until the next.

    The last one is known to have held until `until`. `opening` is the first active price there ever was, whatever
    the range; `closing` the last active one up to the kick-off, null before it.
    """

    key: str
    market: str
    specifiers: dict[str, str]
    outcome: str
    bookmaker: str
    opening: QuoteModel | None
    closing: QuoteModel | None
    points: list[PointModel]
    until: datetime


class HistoryModel(BaseModel):
    """An event's prices over time. `truncated`: there were too many changes, and the oldest are left out."""

    sr_id: int
    since: datetime | None = Field(alias="from")
    until: datetime = Field(alias="to")
    truncated: bool
    series: list[SeriesModel]


MAX_CHANGES: Final = 20_000

SrId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Instant = AwareDatetime | None

router = APIRouter(prefix="/api/events", tags=["events"])


class _Answer(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """The JSON of an answer."""

    sr_id: int
    since: datetime | None
    until: datetime
    truncated: bool
    series: Sequence[Series]


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for; `keys` None means all markets."""

    sr_id: int
    keys: tuple[MarketKey, ...] | None
    bookmakers: tuple[str, ...]
    until: datetime


@router.get(
    "/{sr_id}/history",
    response_class=Response,
    response_model=None,
    responses={
        200: {"content": {"application/json": {}}, "model": HistoryModel},
        404: {"model": Problem},
        422: {"model": Problem},
        503: {"model": Problem},
    },
)
async def read_history(
    state: State,
    sr_id: SrId,
    markets: Annotated[str, Query(max_length=2000, examples=["match_result,total_goals:line=2.5"])] = "",
    bookmakers: Annotated[str, Query(max_length=500, description="slugs, with commas between; none: all")] = "",
    since: Annotated[Instant, Query(alias="from", description="the point in force then comes first")] = None,
    until: Annotated[Instant, Query(alias="to")] = None,
    as_of: Annotated[Instant, Query(description="each outcome's one point in force then; all markets")] = None,
) -> Response:
    """Return price series of the chosen markets, or the whole event as it stood at an instant."""
    now = state.clock.now()
    event = state.book.event(sr_id)
    kickoff = await state.history.kickoff(sr_id) if event is None else event.kickoff
    if kickoff is None:
        raise UnknownEventError(sr_id)
    keys = parse_markets(markets) or (None if as_of else DEFAULT_MARKETS)
    asked = _Asked(sr_id=sr_id, keys=keys, bookmakers=_chosen(state, bookmakers), until=as_of or until or now)
    changes = await _changes(state, asked, as_of=as_of is not None)
    told = Range(
        since=as_of or since,
        until=asked.until,
        as_of=as_of is not None,
        kickoff=kickoff,
        started=now >= kickoff,
        whole=as_of is None and len(changes) < MAX_CHANGES,
    )
    held_until = await _held_until(state, asked, changes)
    body = await asyncio.to_thread(_encoded, state, asked, changes, told, held_until)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})


def _chosen(state: ApiState, text: str) -> tuple[str, ...]:
    slugs = {slug.strip() for slug in text.split(",") if slug.strip()}
    return tuple(slug for slug in state.bookmakers if not slugs or slug in slugs)


async def _changes(state: ApiState, asked: _Asked, *, as_of: bool) -> Sequence[StoredChange]:
    markets = [
        (market.number, key.specifiers)
        for key in asked.keys or ()
        if (market := state.catalogue.find(key.market)) is not None and "\0" not in key.specifiers
    ]
    if not as_of:
        return await state.history.changes(asked.sr_id, asked.bookmakers, asked.until, markets, MAX_CHANGES)
    found = await state.history.state(asked.sr_id, asked.bookmakers, asked.until)
    return [one for one in found if asked.keys is None or (one.market, one.specifiers) in markets]


async def _held_until(state: ApiState, asked: _Asked, changes: Iterable[StoredChange]) -> Mapping[Place, datetime]:
    """Return until when markets are known to be as the last change left them: by the cache where it has them."""
    seen = await state.history.seen(asked.sr_id, asked.bookmakers, asked.until)
    held: dict[Place, datetime] = {}
    for number, specifiers, slug in {(one.market, one.specifiers, one.bookmaker) for one in changes}:
        market = state.catalogue.numbered(number)
        if market is None:
            continue
        key = MarketKey(market.key, specifiers)
        cached = state.cache.get(asked.sr_id, slug)
        if cached is not None and key in cached.markets:
            held[slug, key] = cached.market_confirmed_at(key)
        elif slug in seen:
            held[slug, key] = seen[slug]
    return held


def _encoded(
    state: ApiState,
    asked: _Asked,
    changes: Sequence[StoredChange],
    told: Range,
    held_until: Mapping[Place, datetime],
) -> bytes:
    series = all_series(changes, state.catalogue, asked.bookmakers, told, held_until)
    truncated = not told.as_of and len(changes) >= MAX_CHANGES
    return msgspec.json.encode(_Answer(asked.sr_id, told.since, told.until, truncated, series))
