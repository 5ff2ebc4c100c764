"""The composition root of the HTTP service: `uvicorn overround.api.app:app`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

import psutil
from fastapi import FastAPI

from overround.access.policy import key_required, refuse_without_keys
from overround.api.admin import keys, sessions, tuning
from overround.api.bookmakers import listings
from overround.api.bookmakers import routes as bookmakers
from overround.api.events import csv_export as event_csv
from overround.api.events import routes as events
from overround.api.events.desk import current_desk, new_desk
from overround.api.events.encoder import EventEncoder, SpareTime
from overround.api.framework import reference, web
from overround.api.framework.connections import ConnectionBook
from overround.api.framework.loop_lag import LoopLag
from overround.api.framework.middleware import Admission, RequestContext
from overround.api.framework.openapi import DescribedApi
from overround.api.framework.problems import install_problem_handlers
from overround.api.framework.request_meter import MeterMiddleware, RequestMeter
from overround.api.framework.security import Guard
from overround.api.framework.shared_task import SharedTask
from overround.api.history import routes as history
from overround.api.markets import checks as market_checks
from overround.api.markets import coverage
from overround.api.markets import routes as markets
from overround.api.markets.price_checks import check_cache
from overround.api.operations import database, doctor, health, metrics, status
from overround.api.scrape import routes as scrape
from overround.api.scrape import scheduler
from overround.api.scrape.progress_board import ProgressBoard
from overround.api.state import ApiState, ShownNames
from overround.api.streams import routes as stream
from overround.api.streams.desk import StreamDesk
from overround.api.write_queue import dead_letters, held_rows, integrity
from overround.api.write_queue import routes as queue
from overround.clock import SystemClock
from overround.db.inventory import inventory
from overround.logs import configure_logs
from overround.runtime import settled
from overround.settings import Settings
from overround.storage.disk_room import places_of
from overround.upkeep.health import HealthBook
from overround.wiring import Service, running_database, running_service

# In the order in which their routes are tried.
_SLICES = (
    event_csv,
    events,
    bookmakers,
    history,
    coverage,
    listings,
    market_checks,
    markets,
    scrape,
    stream,
    scheduler,
    tuning,
    queue,
    dead_letters,
    held_rows,
    integrity,
    database,
    keys,
    health,
    metrics,
    status,
    doctor,
    sessions,
    reference,
    web,
)

_SETTLING = timedelta(seconds=10)  # in which a bookmaker's next answers come, after an interval

ServiceFactory = Callable[[], AbstractAsyncContextManager[Service]]


@asynccontextmanager
async def service_of(settings: Settings, *, standby: bool = False) -> AsyncIterator[Service]:
    """Run the service that the settings describe; a standby waits first until it owns the database."""
    configure_logs(settings.log_level)
    async with running_database(settings, standby=standby) as database:
        refuse_without_keys(settings, database.keys)
        async with running_service(settings, database) as service:
            yield service


def create_app(service: ServiceFactory = lambda: service_of(Settings())) -> FastAPI:
    """Return the application; `service` is started with it and stopped with it."""
    # The machine's clock, whatever the service's shows: these times are of this process.
    meter, loop_lag, connections = RequestMeter(SystemClock()), LoopLag(SystemClock()), ConnectionBook(SystemClock())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service() as running, loop_lag.measured():
            app.state.write_queue = running.write_queue
            app.state.odds_cache = running.context.cache
            connections.room = running.descriptors
            app.state.service = state = _api_state(running, meter, loop_lag, connections)
            app.state.events = new_desk(state)
            app.state.guard = _guard(running)
            app.state.streams = streams = StreamDesk(state, app.state.stopping)
            app.state.progress = board = ProgressBoard(SystemClock(), running.control.detail, app.state.stopping)
            app.state.encoder = encoder = _encoder(app)
            async with streams.running(), board.listening(state.progress), encoder.running():
                with settled():
                    yield

    app = DescribedApi(
        title="Overround",
        description="Odds comparison for a bookmaker's trading desk.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.stopping = asyncio.Event()
    app.state.connections = connections
    install_problem_handlers(app)
    app.add_middleware(Admission)
    app.add_middleware(MeterMiddleware, meter=meter)
    app.add_middleware(RequestContext)
    for slice_ in _SLICES:
        # Not `include_router`: what is included, FastAPI looks through twice for every request.
        app.router.routes.extend(slice_.router.routes)
    return app


def _encoder(app: FastAPI) -> EventEncoder:
    clock = SystemClock()  # with any other, its rests might take no time
    return EventEncoder(lambda: current_desk(app), clock, SpareTime(clock))


def _guard(service: Service) -> Guard:
    settings, clock = service.settings, service.context.clock
    return Guard(
        service.database.keys,
        clock,
        settings.security,
        key_required=key_required(settings),
        is_open=web.shows_no_data,
    )


def _api_state(service: Service, meter: RequestMeter, loop_lag: LoopLag, connections: ConnectionBook) -> ApiState:
    context, names = service.context, {slug: one.name for slug, one in service.bookmakers.items()}
    return ApiState(
        version=version("overround"),
        started_at=context.clock.now(),
        clock=context.clock,
        catalogue=context.catalogue,
        cache=context.cache,
        book=context.book,
        control=service.control,
        linker=service.linker,
        scheduler=service.scheduler,
        write_queue=service.write_queue,
        dead_letters=service.dead_letters,
        held_rows=service.held_rows,
        database_ready=service.database.ready,
        warm=service.warm,
        catch_up=service.catch_up,
        maintenance=service.maintenance,
        clock_watch=service.clock_watch,
        integrity=service.integrity,
        coverage=service.coverage,
        bookmakers=ShownNames(service.roster, names, service.settings.reference),
        covered={slug: source.reader.covered for slug, source in service.roster.everyone.items()},
        reference=service.settings.reference,
        fetchers=service.fetchers,
        installed=names,
        roster=service.roster,
        live=service.live,
        stream=service.stream,
        progress=service.context.progress,
        meter=meter,
        loop_lag=loop_lag,
        connections=connections,
        descriptors=service.descriptors,
        health=HealthBook(context.clock),
        replaced_for=service.settings.schedule.long_interval + _SETTLING,
        process=psutil.Process(),
        history=service.database.history,
        keys=service.database.keys,
        ownership=service.database.ownership,
        places=places_of(service.settings),
        inventory=SharedTask(lambda: inventory(service.database.engine)),
        checks=SharedTask(lambda: check_cache(context.cache, context.book, context.catalogue)),
    )


app = create_app()
