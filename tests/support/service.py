"""A real service on a real socket, fed by recordings, with its clock before their kick-offs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI

from overround.api.app import ServiceFactory, create_app
from overround.api.framework.connections import BoundedServer
from overround.cli.web_server import listening
from overround.clock import OffsetClock
from overround.settings import BookmakerSettings, ScheduleSettings, ScrapingSettings, Settings
from overround.simulator.server.child import SimulatorHandle, running_simulator
from overround.wiring import Service, running_database, running_service

Changes = Mapping[str, BookmakerSettings]
_NONE: Changes = MappingProxyType({})


def replay_settings(
    simulator: SimulatorHandle, database_url: str, data_dir: Path, changes: Changes = _NONE
) -> Settings:
    """Return settings that point every bookmaker at the simulator, with changes for some."""
    bookmakers = {
        slug: changes.get(slug, BookmakerSettings()).model_copy(update={"base_url": simulator.base_url(slug)})
        for slug in simulator.recordings
    }
    scraping = ScrapingSettings(horizon=None, retry_base=timedelta(milliseconds=1))
    return Settings(
        data_dir=data_dir,
        database_url=database_url,
        bookmakers=bookmakers,
        scraping=scraping,
        schedule=ScheduleSettings(enabled=False),
    )


@asynccontextmanager
async def replaying_service(settings: Settings, simulator: SimulatorHandle) -> AsyncIterator[Service]:
    """Run the service an hour before the first recorded kick-off."""
    assert simulator.earliest_kickoff is not None
    clock = OffsetClock(simulator.earliest_kickoff - timedelta(hours=1))
    async with running_database(settings) as database, running_service(settings, database, clock) as service:
        yield service


class Api:
    """A client of the running service; `app` is what answers it."""

    def __init__(self, session: aiohttp.ClientSession, service: Service, address: str, app: FastAPI) -> None:
        self.app = app
        self.session = session
        self.address = address
        self.service = service

    async def get(self, path: str) -> Any:
        """Return a successful answer's JSON."""
        async with self.session.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def cycle(self) -> None:
        """Run a full cycle to its end, and wait for the database."""
        await self.service.control.run_cycle()
        assert self.service.write_queue is not None
        await self.service.write_queue.drain()


@asynccontextmanager
async def running_api(
    database_url: str, data_dir: Path, changes: Changes = _NONE, **values: object
) -> AsyncIterator[Api]:
    """Serve recordings, service and API on loopback; `values` are of the settings."""
    async with running_simulator() as simulator:
        settings = replay_settings(simulator, database_url, data_dir, changes).with_values(**values)
        async with serving(lambda: replaying_service(settings, simulator)) as api:
            yield api


@asynccontextmanager
async def serving(service: ServiceFactory) -> AsyncIterator[Api]:
    """Serve a service's API on loopback."""
    started: list[Service] = []

    @asynccontextmanager
    async def noted() -> AsyncIterator[Service]:
        async with service() as running:
            started.append(running)
            yield running

    app = create_app(noted)
    server = BoundedServer(uvicorn.Config(app, log_config=None, lifespan="on"), app.state.connections)
    with listening("127.0.0.1", 0) as listener:
        config_ready = asyncio.create_task(_serve(server, listener))
        while not server.started and not config_ready.done():
            await asyncio.wait({config_ready}, timeout=0.01)
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with aiohttp.ClientSession(base) as session:
                yield Api(session, started[0], base, app)
        finally:
            server.should_exit = True
            await config_ready


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    # Not `serve`: it would take over the test run's signal handlers.
    await server._serve([listener])
