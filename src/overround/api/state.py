"""What the endpoints work on, typed; set once in the lifespan."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, cast

import msgspec
import psutil
from fastapi import Depends, Request

from overround.access.keyring import KeyRing
from overround.api.framework.connections import ConnectionBook
from overround.api.framework.loop_lag import LoopLag
from overround.api.framework.request_meter import RequestMeter
from overround.api.framework.shared_task import SharedTask
from overround.api.markets.price_checks import Checked
from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue
from overround.configuration.live_settings import LiveSettings
from overround.db.history import HistoryRepository
from overround.db.inventory import Inventory
from overround.db.ownership import Ownership
from overround.descriptors import DescriptorRoom
from overround.fetching.http import HttpFetcher
from overround.ports import Clock, WriteQueue
from overround.pricing.coverage import CoverageBook
from overround.scheduling.clock_watch import ClockWatch
from overround.scheduling.scheduler import ScrapeScheduler
from overround.scraping.enabled_bookmakers import EnabledBookmakers
from overround.scraping.linking import ListingLinker
from overround.scraping.on_demand import ScrapeController
from overround.scraping.start_up import CatchUp
from overround.storage.dead_letters import DeadLetters
from overround.storage.held_rows import HeldRows
from overround.streaming.hub import StreamHub
from overround.streaming.progress import ProgressHub
from overround.upkeep.health import HealthBook
from overround.upkeep.integrity import IntegrityCheck
from overround.upkeep.maintenance import Maintenance


class ShownNames(Mapping[str, str]):
    """Names by slug, the reference first, of the bookmakers that are on or were so since the start."""

    def __init__(self, roster: EnabledBookmakers, names: Mapping[str, str], reference: str) -> None:
        self._roster = roster
        self._names = names
        self._reference = reference
        self._slugs: tuple[str, ...] = ()
        self._current: Mapping[str, str] = {}

    def __getitem__(self, slug: str) -> str:
        """Return a name; raises a KeyError for a bookmaker that is not shown."""
        return self._now()[slug]

    def __iter__(self) -> Iterator[str]:
        """Yield the slugs, the reference first."""
        return iter(self._now())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._now())

    def _now(self) -> Mapping[str, str]:
        slugs = self._roster.shown
        if slugs is not self._slugs:
            ordered = sorted(slugs, key=lambda slug: slug != self._reference)
            self._slugs, self._current = slugs, {slug: self._names[slug] for slug in ordered}
        return self._current


class ApiState(msgspec.Struct, frozen=True, kw_only=True):
    """The running parts that endpoints may see.

    `bookmakers` are names by slug, the reference first; `covered` are the catalogue markets that each one's
    mapping can produce. `installed` are the names of all, those that are switched off too. `places` are the
    directories that the service writes to. `replaced_for` is how long a replaced character is shown.
    """

    clock: Clock
    catalogue: Catalogue
    cache: OddsCache
    book: EventRegister
    control: ScrapeController
    linker: ListingLinker
    scheduler: ScrapeScheduler
    write_queue: WriteQueue | None
    dead_letters: DeadLetters
    held_rows: HeldRows
    database_ready: asyncio.Event
    warm: asyncio.Event
    catch_up: CatchUp
    maintenance: Maintenance
    clock_watch: ClockWatch
    integrity: IntegrityCheck
    coverage: CoverageBook
    history: HistoryRepository
    keys: KeyRing
    ownership: Ownership
    inventory: SharedTask[Inventory]
    checks: SharedTask[Checked]
    places: tuple[Path, ...]
    bookmakers: Mapping[str, str]
    covered: Mapping[str, frozenset[str]]
    reference: str
    fetchers: Mapping[str, HttpFetcher]
    installed: Mapping[str, str]
    roster: EnabledBookmakers
    live: LiveSettings
    stream: StreamHub
    progress: ProgressHub
    meter: RequestMeter
    loop_lag: LoopLag
    connections: ConnectionBook
    descriptors: DescriptorRoom
    health: HealthBook
    replaced_for: timedelta
    process: psutil.Process
    version: str
    started_at: datetime


def _state(request: Request) -> ApiState:
    return cast("ApiState", request.app.state.service)


State = Annotated[ApiState, Depends(_state)]
