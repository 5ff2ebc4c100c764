"""Listings that no event is known for, and links between listings and events made by hand."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from overround.api.framework.problems import Problem
from overround.api.state import State
from overround.records.event import Event, Listing
from overround.scraping.linking import candidates

router = APIRouter(prefix="/api/listings", tags=["listings"])

_MOST = 100
_BIGINT = 2**63 - 1

Slug = Annotated[str, Path(min_length=1, max_length=64)]
ListingId = Annotated[str, Path(min_length=1, max_length=200)]


class LinkView(BaseModel):
    """Somebody's word that a listing is of an event."""

    bookmaker: str
    listing_id: str
    sr_id: int
    reason: str
    linked_at: datetime


class LinkPage(BaseModel):
    """All links made by hand."""

    links: list[LinkView]


class NewLink(BaseModel):
    """The event that a listing is of, and why."""

    model_config = ConfigDict(extra="forbid")

    sr_id: Annotated[int, Field(ge=1, le=_BIGINT)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CandidateView(BaseModel):
    """An event that a listing may be of; `likeness` of the teams' names is 0 to 1."""

    sr_id: int
    home: str
    away: str
    kickoff: datetime
    likeness: float


class UnmatchedView(BaseModel):
    """A listing without an event, with the events that it may be of."""

    bookmaker: str
    listing_id: str
    sport: str
    home: str
    away: str
    kickoff: datetime
    country: str
    tournament: str
    candidates: list[CandidateView]


class UnmatchedPage(BaseModel):
    """Listings whose bookmaker gives no SportRadar number, by kick-off."""

    total: int
    limit: int
    offset: int
    listings: list[UnmatchedView]


@router.get("/unmatched")
async def list_unmatched(
    state: State,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> UnmatchedPage:
    """Return the listings that belong to no event, each with the events that it is most likely of."""
    current = (known.listing for known in state.book.known() if known.gone_at is None and known.listing.sr_id is None)
    unmatched = sorted(current, key=lambda listing: (listing.kickoff, listing.bookmaker, listing.listing_id))
    events = tuple(state.book.events())
    # Comparing names takes a while, and the event loop is not to wait for it.
    views = await asyncio.to_thread(_views, unmatched[offset : offset + limit], events)
    return UnmatchedPage(total=len(unmatched), limit=limit, offset=offset, listings=views)


@router.get("/links")
async def list_links(state: State) -> LinkPage:
    """Return the links made by hand."""
    links = sorted(state.book.links(), key=lambda link: (link.bookmaker, link.listing_id))
    return LinkPage(links=[LinkView(**msgspec.structs.asdict(link)) for link in links])


@router.put("/{bookmaker}/{listing_id}/link", responses={404: {"model": Problem}, 503: {"model": Problem}})
async def link_listing(state: State, bookmaker: Slug, listing_id: ListingId, link: NewLink) -> LinkView:
    """Say of which event a listing is; that holds until it is taken back, over restarts too."""
    made = await state.linker.link(bookmaker, listing_id, link.sr_id, link.reason)
    return LinkView(**msgspec.structs.asdict(made))


@router.delete(
    "/{bookmaker}/{listing_id}/link",
    status_code=HTTPStatus.NO_CONTENT,
    responses={404: {"model": Problem}, 503: {"model": Problem}},
)
async def unlink_listing(
    state: State, bookmaker: Slug, listing_id: ListingId, reason: Annotated[str, Query(max_length=500)] = ""
) -> None:
    """Take a link back: the bookmaker's own word counts again from the next discovery on."""
    await state.linker.unlink(bookmaker, listing_id, reason)


def _views(listings: Sequence[Listing], events: Sequence[Event]) -> list[UnmatchedView]:
    return [_view(listing, events) for listing in listings]


def _view(listing: Listing, events: Sequence[Event]) -> UnmatchedView:
    return UnmatchedView(
        bookmaker=listing.bookmaker,
        listing_id=listing.listing_id,
        sport=listing.sport,
        home=listing.home,
        away=listing.away,
        kickoff=listing.kickoff,
        country=listing.country,
        tournament=listing.tournament,
        candidates=[
            CandidateView(
                sr_id=found.event.sr_id,
                home=found.event.home,
                away=found.event.away,
                kickoff=found.event.kickoff,
                likeness=found.likeness,
            )
            for found in candidates(listing, events)
        ],
    )
