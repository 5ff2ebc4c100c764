"""The bookmakers: how each may be asked at present, what asking has brought, how old its prices are."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from overround.api.state import ApiState, State
from overround.fetching.admission import TurnState
from overround.fetching.statistics import FetchFigures
from overround.scraping.runs import ListFigures

router = APIRouter(prefix="/api/bookmakers", tags=["bookmakers"])


class ConcurrencyView(BaseModel):
    """Requests under way: how many the settings allow, how many are allowed at present, how many there are."""

    limit: int = 0
    allowed: int = 0
    in_use: int = 0


class BreakerView(BaseModel):
    """Whether requests are sent: closed (yes), open (not before `retry_at`), half_open (one, to find out)."""

    state: str = "closed"
    since: datetime | None = None
    reason: str = ""
    retry_at: datetime | None = None


class MinuteView(BaseModel):
    """Requests of the last 60 seconds, and how many the settings allow."""

    budget: int | None = None
    used: int = 0


class HoldView(BaseModel):
    """Until when nothing is sent because the bookmaker asked for that, and what it said."""

    until: datetime
    reason: str


class DroppedEntriesView(BaseModel):
    """How many entries of lists became no listing, and why."""

    reason: str
    count: int


class ListsView(BaseModel):
    """The newest discovery's lists: entries that came, that could not be read, that were beyond a limit.

    `failed` counts lists that could not be had; `dropped` has the most frequent reasons why entries became no listing.
    Counts that disagreed with a list ten times in a row are no longer trusted to tell whether the list is complete.
    """

    at: datetime
    listed: int
    unreadable: int
    unlisted: int
    failed: int
    dropped: list[DroppedEntriesView]
    counts_trusted: bool


class LastErrorView(BaseModel):
    """The newest failure."""

    at: datetime
    error_class: str = Field(serialization_alias="class")
    message: str


class PercentilesView(BaseModel):
    """Over the newest answers; null before the first."""

    p50: float | None = None
    p95: float | None = None


class BookmakerView(BaseModel):
    """One bookmaker; sums are since the start of the service.

    `errors` counts every failed attempt by class, `circuit_open` those that were not sent at all. `markets`
    are those of the latest states, removed ones included. A bookmaker that is switched off has no figures.
    """

    slug: str
    name: str
    reference: bool = False
    enabled: bool = False
    concurrency: ConcurrencyView = ConcurrencyView()
    breaker: BreakerView = BreakerView()
    hold: HoldView | None = None
    requests_per_minute: MinuteView = MinuteView()
    last_success_at: datetime | None = None
    last_error: LastErrorView | None = None
    requests: int = 0
    errors: dict[str, int] = {}
    latency_ms: PercentilesView = PercentilesView()
    bytes: int = 0
    staleness_seconds: float | None = None
    events: int = 0
    markets: int = 0
    lists: ListsView | None = None


class BookmakersView(BaseModel):
    """All installed bookmakers, the reference first."""

    now: datetime
    bookmakers: list[BookmakerView]


class Holding(msgspec.Struct):
    """What the cache has of one bookmaker; `newest` are number and arrival of its newest body.

    `newest_seen` are the monotonic seconds at which its newest prices were seen.
    """

    events: int = 0
    markets: int = 0
    newest: tuple[int, datetime] | None = None
    newest_seen: float | None = None


@router.get("")
async def read_bookmakers(state: State) -> BookmakersView:
    """Return how every bookmaker fares."""
    holdings = held(state)
    views = [_view(state, slug, holdings[slug]) for slug in state.bookmakers]
    return BookmakersView(now=state.clock.now(), bookmakers=[*views, *_switched_off(state)])


def held(state: ApiState) -> Mapping[str, Holding]:
    """Return what the cache has of each enabled bookmaker."""
    holdings = {slug: Holding() for slug in state.bookmakers}
    for _, slug, cached in state.cache:
        holding = holdings.get(slug)
        if holding is None:
            continue
        holding.events += 1
        holding.markets += len(cached.markets)
        if holding.newest is None or (cached.number, cached.received_at) > holding.newest:
            holding.newest = (cached.number, cached.received_at)
        holding.newest_seen = cached.seen if holding.newest_seen is None else max(cached.seen, holding.newest_seen)
    return holdings


def last_success(state: ApiState, slug: str, holding: Holding) -> datetime | None:
    """Return when usable prices last arrived; the cache knows of those from before the start."""
    at = state.fetchers[slug].statistics.figures().last_success_at
    return at if at is not None or holding.newest is None else holding.newest[1]


def seconds_since_success(state: ApiState, slug: str, holding: Holding) -> float | None:
    """Return how old the newest usable prices are, by the monotonic clock; None where there never were any."""
    known = (state.fetchers[slug].statistics.figures().last_success_seen, holding.newest_seen)
    newest = max((seen for seen in known if seen is not None), default=None)
    return None if newest is None else max(0.0, state.clock.monotonic() - newest)


def _view(state: ApiState, slug: str, holding: Holding) -> BookmakerView:
    fetcher = state.fetchers[slug]
    figures, turns = fetcher.statistics.figures(), fetcher.turns()
    return BookmakerView(
        slug=slug,
        name=state.bookmakers[slug],
        reference=slug == state.reference,
        enabled=slug in state.roster,
        concurrency=ConcurrencyView(limit=turns.limit, allowed=turns.allowed, in_use=turns.in_use),
        breaker=_breaker(turns),
        hold=None if turns.held_until is None else HoldView(until=turns.held_until, reason=turns.hold_reason),
        requests_per_minute=MinuteView(budget=turns.minute_budget, used=turns.minute_used),
        last_success_at=last_success(state, slug, holding),
        last_error=_last_error(figures),
        requests=figures.requests,
        errors=figures.errors,
        latency_ms=_percentiles(figures),
        bytes=figures.bytes,
        staleness_seconds=seconds_since_success(state, slug, holding),
        events=holding.events,
        markets=holding.markets,
        lists=_lists(state.control.lists(slug)),
    )


def _lists(figures: ListFigures | None) -> ListsView | None:
    if figures is None:
        return None
    return ListsView(
        at=figures.at,
        listed=figures.listed,
        unreadable=figures.unreadable,
        unlisted=figures.unlisted,
        failed=figures.failed,
        dropped=[DroppedEntriesView(reason=dropped.reason, count=dropped.count) for dropped in figures.dropped],
        counts_trusted=figures.counts_trusted,
    )


def _breaker(turns: TurnState) -> BreakerView:
    return BreakerView(
        state=turns.breaker.value, since=turns.breaker_since, reason=turns.breaker_reason, retry_at=turns.retry_at
    )


def _last_error(figures: FetchFigures) -> LastErrorView | None:
    last = figures.last_error
    return None if last is None else LastErrorView(at=last.at, error_class=last.error_class, message=last.message)


def _percentiles(figures: FetchFigures) -> PercentilesView:
    latency = figures.latency
    if not latency.count:
        return PercentilesView()
    return PercentilesView(p50=round(latency.p50 * 1000, 3), p95=round(latency.p95 * 1000, 3))


def _switched_off(state: ApiState) -> list[BookmakerView]:
    hidden = state.installed.keys() - state.bookmakers.keys()
    return [BookmakerView(slug=slug, name=name) for slug, name in state.installed.items() if slug in hidden]
