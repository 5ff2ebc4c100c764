"""Who offers what: events and markets by bookmaker, country and tournament."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.state import ApiState, State
from overround.records.event import Event

router = APIRouter(prefix="/api/coverage", tags=["coverage"])


class OfferView(BaseModel):
    """What one bookmaker offers: events that it lists, and markets in their latest states."""

    events: int
    markets: int


class TournamentOffer(OfferView):
    """The same for one tournament; `missing` events are listed by others only, `opened_first` by it before others."""

    missing: int
    opened_first: int


class TournamentView(BaseModel):
    """One tournament, with every bookmaker's offer."""

    sport: str
    country: str
    tournament: str
    events: int
    bookmakers: dict[str, TournamentOffer]


class OffersCoverageView(BaseModel):
    """All tournaments by sport, country and name, and the sums by bookmaker."""

    now: datetime
    events: int
    bookmakers: dict[str, OfferView]
    rows: list[TournamentView]


@router.get("")
async def read_coverage(state: State) -> OffersCoverageView:
    """Return who offers what, and who is missing what."""
    groups: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    for event in state.book.events():
        groups[event.sport, event.country, event.tournament].append(event)
    rows: list[TournamentView] = []
    for key, events in sorted(groups.items()):
        rows.append(_tournament(state, key, events))
        await state.clock.sleep(0)  # thousands of markets are counted: others have their turn between tournaments
    return OffersCoverageView(
        now=state.clock.now(),
        events=sum(row.events for row in rows),
        bookmakers={slug: _sum(row.bookmakers[slug] for row in rows) for slug in state.bookmakers},
        rows=rows,
    )


def _tournament(state: ApiState, key: tuple[str, str, str], events: Sequence[Event]) -> TournamentView:
    sport, country, tournament = key
    openers = [_opener(state, event) for event in events]
    return TournamentView(
        sport=sport,
        country=country,
        tournament=tournament,
        events=len(events),
        bookmakers={slug: _offer(state, slug, events, openers.count(slug)) for slug in state.bookmakers},
    )


def _offer(state: ApiState, slug: str, events: Sequence[Event], opened_first: int) -> TournamentOffer:
    listed = [event.sr_id for event in events if slug in state.book.listings_of(event.sr_id)]
    missing = len(events) - len(listed)
    markets = sum(_markets(state, sr_id, slug) for sr_id in listed)
    return TournamentOffer(events=len(listed), markets=markets, missing=missing, opened_first=opened_first)


def _markets(state: ApiState, sr_id: int, slug: str) -> int:
    cached = state.cache.get(sr_id, slug)
    return 0 if cached is None else sum(bool(prices.prices) for prices in cached.markets.values())


def _opener(state: ApiState, event: Event) -> str | None:
    """Return who listed an event before all others; None where two were seen at once, or one is alone."""
    seen = _first_seen(state, event.sr_id)
    first = min(seen.values(), default=None)
    openers = [slug for slug, at in seen.items() if at == first]
    return openers[0] if len(openers) == 1 and len(seen) > 1 else None


def _first_seen(state: ApiState, sr_id: int) -> Mapping[str, datetime]:
    known = ((slug, state.book.find(listing)) for slug, listing in state.book.listings_of(sr_id).items())
    return {slug: one.first_seen_at for slug, one in known if one is not None}


def _sum(offers: Iterable[TournamentOffer]) -> OfferView:
    every = list(offers)
    return OfferView(events=sum(one.events for one in every), markets=sum(one.markets for one in every))
