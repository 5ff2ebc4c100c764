"""The composition root of the HTTP service: `uvicorn overround.api.app:app`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from overround.api import (
    coverage,
    dead_letters,
    event_csv,
    events,
    health,
    history,
    integrity,
    listings,
    markets,
    metrics,
    queue,
    scheduler,
    scrape,
    web,
)
from overround.api.event_desk import EventDesk
from overround.api.event_json import MarketWriter
from overround.api.fragments import Fragments
from overround.api.problems import install_problem_handlers
from overround.api.state import ApiState
from overround.logs import configure_logs
from overround.settings import Settings
from overround.wiring import Service, running_database, running_service

ServiceFactory = Callable[[], AbstractAsyncContextManager[Service]]


@asynccontextmanager
async def service_of(settings: Settings) -> AsyncIterator[Service]:
    """Run the service that the settings describe."""
    configure_logs(settings.log_level)
    async with running_database(settings) as database, running_service(settings, database) as service:
        yield service


def create_app(service: ServiceFactory = lambda: service_of(Settings())) -> FastAPI:
    """Return the application; `service` is started with it and stopped with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service() as running:
            app.state.write_queue = running.write_queue
            app.state.odds_cache = running.context.cache
            app.state.service = state = _api_state(running)
            app.state.events = EventDesk(state, Fragments(_market_writer(state)))
            yield

    app = FastAPI(
        title="Overround",
        description="Odds comparison for a bookmaker's trading desk.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
    )
    install_problem_handlers(app)
    for slice_ in (
        event_csv,
        events,
        history,
        coverage,
        listings,
        markets,
        scrape,
        scheduler,
        queue,
        dead_letters,
        integrity,
        health,
        metrics,
        web,
    ):
        app.include_router(slice_.router)
    return app


def _market_writer(state: ApiState) -> MarketWriter:
    return MarketWriter(state.catalogue, state.bookmakers, state.covered, state.reference)


def _api_state(service: Service) -> ApiState:
    reference = service.settings.reference
    slugs = sorted(service.options, key=lambda slug: slug != reference)
    return ApiState(
        clock=service.context.clock,
        catalogue=service.context.catalogue,
        cache=service.context.cache,
        book=service.context.book,
        control=service.control,
        linker=service.linker,
        scheduler=service.scheduler,
        write_queue=service.write_queue,
        dead_letters=service.dead_letters,
        database_ready=service.database.ready,
        warm=service.warm,
        maintenance=service.maintenance,
        integrity=service.integrity,
        coverage=service.coverage,
        history=service.database.history,
        bookmakers={slug: service.bookmakers[slug].name for slug in slugs},
        covered={slug: source.normaliser.covered for slug, source in service.context.sources.items()},
        reference=reference,
    )


app = create_app()
