"""The shapes of scrape runs over HTTP, and how they are made from the records of the scraper."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel

from overround.caching.event_register import EventRegister
from overround.catalogue import Catalogue
from overround.ports import MarketChange
from overround.records.batch import ScrapeRun
from overround.records.odds import outcome_state, price_text, shown_price, specifiers_of
from overround.scraping.runs import RunDetail, ScrapeFailure


class StartedRun(BaseModel):
    """A run that has been started."""

    run_id: int


class RunCounts(BaseModel):
    """What a run did at one bookmaker, in snapshots.

    `live` bodies show an event in play, and their prices are left out. `withdrawn` are the prices of listings that
    have left. Of the lists, `unreadable` counts entries that could not be read, `unlisted` those beyond a limit.
    """

    listings: int
    changed: int
    confirmed: int
    incomplete: int
    overtaken: int
    failed: int
    discovery_failed: int
    unmapped: int
    dropped: int
    live: int
    withdrawn: int
    unreadable: int
    unlisted: int


class RunPhases(BaseModel):
    """How long the parts of a run took, in milliseconds; storing happens while scraping goes on."""

    discovery_ms: float
    scraping_ms: float
    storage_ms: float


class RunView(BaseModel):
    """A scrape run as it stands; phases and changed markets are null for a run of an earlier process."""

    run_id: int
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    events: int
    counts: dict[str, RunCounts]
    errors: dict[str, int]
    phases: RunPhases | None = None
    markets_changed: int | None = None


class FailureView(BaseModel):
    """One event that a run did not get from one bookmaker, and why."""

    sr_id: int
    home: str
    away: str
    bookmaker: str
    error_class: str
    message: str
    at: datetime


class RunDetailView(RunView):
    """A run with its failures; null where they are not known any more."""

    failures: list[FailureView] | None


class RunPage(BaseModel):
    """The newest runs, newest first; `total` counts all that are remembered."""

    total: int
    runs: list[RunView]


class RunChangeView(BaseModel):
    """How many markets of an event a run found changed at a bookmaker, and when the prices were received."""

    sr_id: int
    home: str
    away: str
    bookmaker: str
    at: datetime
    markets: int


class RunChanges(BaseModel):
    """What a run changed, as the database has it by now; the totals are 0 beyond the last page."""

    run_id: int
    total: int
    total_markets: int
    limit: int
    offset: int
    changes: list[RunChangeView]


class OutcomeChange(BaseModel):
    """One outcome before and after; prices are decimal text, null where none is shown."""

    outcome: str
    before: str | None
    after: str | None
    before_state: str | None
    after_state: str | None


class MarketChangeView(BaseModel):
    """One bookmaker's market that changed; only the outcomes that did."""

    bookmaker: str
    key: str
    market: str
    specifiers: dict[str, str]
    outcomes: list[OutcomeChange]


class EventScrapeView(RunView):
    """A finished scrape of one event, and what changed with it; `shared` with somebody who asked before."""

    shared: bool
    changes: list[MarketChangeView]


def run_facts(run: ScrapeRun, detail: RunDetail | None) -> dict[str, Any]:
    """Return the fields of a `RunView`."""
    facts: dict[str, Any] = msgspec.to_builtins(run, builtin_types=(datetime,))
    if detail is not None:
        facts["markets_changed"] = detail.markets_changed
        facts["phases"] = RunPhases(
            discovery_ms=detail.discovery_ms, scraping_ms=detail.scraping_ms, storage_ms=detail.storage_ms
        )
    return facts


def failure_views(book: EventRegister, failures: Iterable[ScrapeFailure]) -> list[FailureView]:
    """Return failures with the names of their events, where those are still known."""
    return [
        FailureView(
            home=event.home if event is not None else "",
            away=event.away if event is not None else "",
            **msgspec.structs.asdict(failure),
        )
        for failure in failures
        for event in [book.event(failure.sr_id)]
    ]


def change_view(catalogue: Catalogue, change: MarketChange) -> MarketChangeView:
    """Return a changed market, with the outcomes that differ."""
    outcomes = catalogue.market(change.key.market).outcomes
    key = f"{change.key.market}:{change.key.specifiers}" if change.key.specifiers else change.key.market
    return MarketChangeView(
        bookmaker=change.bookmaker,
        key=key,
        market=change.key.market,
        specifiers=dict(specifiers_of(change.key)),
        outcomes=_outcome_changes(outcomes, change),
    )


def _outcome_changes(outcomes: Sequence[str], change: MarketChange) -> list[OutcomeChange]:
    before, after = (_padded(prices.prices, len(outcomes)) for prices in (change.before, change.after))
    return [
        OutcomeChange(
            outcome=outcome,
            before=_text(old),
            after=_text(new),
            before_state=outcome_state(old),
            after_state=outcome_state(new),
        )
        for outcome, old, new in zip(outcomes, before, after, strict=True)
        if old != new
    ]


def _padded(prices: Sequence[int], size: int) -> Sequence[int]:
    return (*prices, *(0,) * (size - len(prices)))


def _text(price: int) -> str | None:
    shown = shown_price(price)
    return None if shown is None else price_text(shown)
