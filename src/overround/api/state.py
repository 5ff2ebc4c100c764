"""What the endpoints work on, typed; set once in the lifespan."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, cast

import msgspec
from fastapi import Depends, Request

from overround.caching.event_book import EventBook
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue
from overround.db.history import HistoryRepository
from overround.markets.coverage import CoverageBook
from overround.ports import Clock, WriteQueue
from overround.scheduling.integrity import IntegrityCheck
from overround.scheduling.maintenance import Maintenance
from overround.scheduling.scheduler import ScrapeScheduler
from overround.scraping.control import ScrapeController
from overround.scraping.linking import ListingLinker
from overround.storage.dead_letters import DeadLetters


class ApiState(msgspec.Struct, frozen=True, kw_only=True):
    """The running parts that endpoints may see.

    `bookmakers` are names by slug, the reference first; `covered` are the catalogue markets that each one's
    mapping can produce.
    """

    clock: Clock
    catalogue: Catalogue
    cache: OddsCache
    book: EventBook
    control: ScrapeController
    linker: ListingLinker
    scheduler: ScrapeScheduler
    write_queue: WriteQueue | None
    dead_letters: DeadLetters
    database_ready: asyncio.Event
    warm: asyncio.Event
    maintenance: Maintenance
    integrity: IntegrityCheck
    coverage: CoverageBook
    history: HistoryRepository
    bookmakers: Mapping[str, str]
    covered: Mapping[str, frozenset[str]]
    reference: str


def _state(request: Request) -> ApiState:
    return cast("ApiState", request.app.state.service)


State = Annotated[ApiState, Depends(_state)]
