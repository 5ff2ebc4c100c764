"""The demo: bookmakers on a loopback server, an own database, the real service in between."""

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

import msgspec

from overround.api.app import create_app
from overround.bookmakers.registry import load_bookmakers
from overround.cli.market import SPORTS, DemoMarket, MarketRequest, running_market
from overround.cli.output import print_facts
from overround.cli.web_server import Stopping, ended_by, listening, run_until_stopped, serve_app
from overround.cli.workplace import Place
from overround.records.batch import ScrapeRun
from overround.settings import BookmakerSettings, Settings
from overround.simulator.server.child import SimulatorHandle
from overround.streaming.progress import Progress, Stored
from overround.upkeep.reconciliation import reconcile
from overround.wiring import Service, running_database, running_service

_INTERVAL = timedelta(seconds=30)


class Spread(msgspec.Struct, frozen=True):
    """Median and maximum."""

    p50: float
    max: float


class CycleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle: counts in events, snapshots and markets, times in milliseconds."""

    run_id: int
    status: str
    events: int
    snapshots: int
    changed: int
    unchanged: int
    failed: int
    markets_written: int
    duration_ms: float
    storage_blocking_ms: Spread


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The write queue after draining, in batches."""

    pending: int = 0
    written: int = 0
    retried: int = 0
    dead_lettered: int = 0


class DatabaseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Rows stored: events, changed snapshots, market changes."""

    events: int
    odds_snapshots: int
    market_odds: int


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """Cache against database after draining: all must be 0."""

    lost: int
    extra: int
    doubled: int


class DemoReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `demo --exit` prints."""

    cycles: tuple[CycleFigures, ...]
    queue: QueueFigures
    database: DatabaseFigures
    integrity: Integrity

    @property
    def sound(self) -> bool:
        """Tell whether nothing is pending, lost, extra or doubled."""
        return not any((self.queue.pending, self.integrity.lost, self.integrity.extra, self.integrity.doubled))


async def serve(place: Place, request: MarketRequest, port: int, stopping: Stopping) -> None:
    """Serve page and API until a signal, scraping on a schedule."""
    with listening("127.0.0.1", port) as listener:
        async with (
            running_market(place.data_dir, request) as market,
            _service(place, market, scheduled=True) as service,
            ended_by(service.database.ownership.lost, stopping),
        ):
            await serve_app(create_app(lambda: nullcontext(service)), stopping, listener, place.data_dir)
            service.database.ownership.raise_if_lost()


def report_on(place: Place, request: MarketRequest, cycles: int) -> DemoReport | None:
    """Run cycles and return the report; None where a signal came first."""
    reports: list[DemoReport] = []

    async def work(_: Stopping) -> None:
        reports.append(await run_cycles(place, request, cycles))

    run_until_stopped(work)
    return reports[0] if reports else None


async def run_cycles(place: Place, request: MarketRequest, cycles: int) -> DemoReport:
    """Run cycles back to back, drain the queue and compare the database with the cache."""
    async with running_market(place.data_dir, request) as market, _service(place, market, scheduled=False) as service:
        figures = []
        for _ in range(cycles):
            await market.next_cycle()
            figures.append(await _one_cycle(service))
        if service.write_queue is not None:
            await service.write_queue.drain()
        return await _report(service, figures)


@asynccontextmanager
async def _service(place: Place, market: DemoMarket, *, scheduled: bool) -> AsyncIterator[Service]:
    settings = _settings(place, market.simulator, scheduled=scheduled)
    async with running_database(settings, ephemeral=place.temporary) as database:
        market.begin_after(await database.facts.last_instant())
        async with running_service(settings, database, market.clock, market.next_cycle) as service:
            yield service


def _settings(place: Place, simulator: SimulatorHandle, *, scheduled: bool) -> Settings:
    """Return the user's settings turned to the simulator: nothing that it does not serve is asked."""
    given = Settings()
    bookmakers = {
        slug: given.bookmakers.get(slug, BookmakerSettings()).model_copy(
            update={"base_url": simulator.base_url(slug), "proxy": None, "enabled": slug in simulator.listings}
        )
        for slug in load_bookmakers()
    }
    queue = given.queue.model_copy(update={"ack_log": place.ack_log or given.queue.ack_log})
    scraping = given.scraping.model_copy(update={"horizon": None, "sports": SPORTS})
    schedule = given.schedule.model_copy(
        update={"enabled": scheduled, "short_interval": _INTERVAL, "long_interval": _INTERVAL}
    )
    return given.with_values(
        data_dir=place.data_dir,
        database_url=None,
        bookmakers=bookmakers,
        scraping=scraping,
        schedule=schedule,
        queue=queue,
    )


async def _one_cycle(service: Service) -> CycleFigures:
    stored: list[Stored] = []

    def listener(notification: Progress) -> None:
        if isinstance(notification, Stored):
            stored.append(notification)

    clock = service.context.clock
    began = clock.monotonic()
    with service.context.progress.listening(listener):
        run = await service.control.run_cycle()
    return _figures(run, stored, round((clock.monotonic() - began) * 1000, 1))


def _figures(run: ScrapeRun, stored: Sequence[Stored], duration_ms: float) -> CycleFigures:
    counts = run.counts.values()
    changed = sum(one.changed for one in counts)
    unchanged = sum(one.confirmed + one.incomplete for one in counts)
    blocking = [one.blocking_ms for one in stored] or [0.0]
    return CycleFigures(
        run_id=run.run_id,
        status=run.status,
        events=run.events,
        snapshots=changed + unchanged + sum(one.overtaken for one in counts),
        changed=changed,
        unchanged=unchanged,
        failed=sum(one.failed for one in counts),
        markets_written=sum(one.markets_changed for one in stored),
        duration_ms=duration_ms,
        storage_blocking_ms=Spread(p50=round(statistics.median(blocking), 3), max=max(blocking)),
    )


async def _report(service: Service, cycles: Sequence[CycleFigures]) -> DemoReport:
    context, repository = service.context, service.database.repository
    difference = await reconcile(context.cache, context.book, repository, context.catalogue, context.clock.now())
    stored = await service.database.facts.facts()
    return DemoReport(
        cycles=tuple(cycles),
        queue=_queue_figures(service),
        database=DatabaseFigures(
            events=stored.events, odds_snapshots=stored.odds_snapshots, market_odds=stored.market_odds
        ),
        integrity=Integrity(lost=difference.lost, extra=difference.extra, doubled=stored.doubled),
    )


def _queue_figures(service: Service) -> QueueFigures:
    if service.write_queue is None:
        return QueueFigures()
    stats = service.write_queue.stats()
    return QueueFigures(
        pending=stats.pending, written=stats.written, retried=stats.retried, dead_lettered=stats.dead_lettered
    )


def print_report(report: DemoReport) -> None:
    """Print the report for a person."""
    for cycle in report.cycles:
        print_facts(f"Cycle {cycle.run_id}", msgspec.to_builtins(cycle))
    for title in ("queue", "database", "integrity"):
        print_facts(title.capitalize(), msgspec.to_builtins(getattr(report, title)))
