"""A database that is away: the service starts, scrapes, tells so, and makes good when it returns."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.embedded import running_postgres
from overround.db.engine import create_engine
from overround.simulator.server.child import running_simulator
from overround.upkeep.reconciliation import reconcile
from overround.wiring import running_database, running_service
from tests.support.service import Api, replay_settings, replaying_service, running_api


async def test_the_service_starts_without_its_database_and_joins_it_later(tmp_path: Path) -> None:
    """Away at start: cycles run and are journalled; when the database comes, everything is in it, once."""
    async with running_simulator() as simulator:
        data_dir = tmp_path / "elsewhere"
        async with running_postgres(data_dir) as url:
            pass
        settings = replay_settings(simulator, url, tmp_path / "data")
        async with replaying_service(settings, simulator) as service:
            assert not service.database.ready.is_set()
            run = await service.control.run_cycle()
            assert run.status == "completed"
            assert service.write_queue is not None
            assert service.write_queue.stats().pending > 0
            async with running_postgres(data_dir, ephemeral=True) as again:
                assert again == url
                async with asyncio.timeout(30):
                    await service.warm.wait()
                    await service.write_queue.drain()
                await service.control.run_cycle()
                await service.write_queue.drain()
                context = service.context
                repository, now = service.database.repository, context.clock.now()
                result = await reconcile(context.cache, context.book, repository, context.catalogue, now)
                assert (result.lost, result.extra) == (0, 0)
                assert result.compared > 100
                facts = await service.database.facts.facts()
                assert (facts.doubled, facts.odds_snapshots) == (0, sum(one.changed for one in run.counts.values()))


async def server_of(engine: AsyncEngine) -> psutil.Process:
    """Return the server process behind an engine."""
    async with engine.connect() as connection:
        row = (await connection.execute(text("select pg_backend_pid()"))).one()
    server = psutil.Process(row[0]).parent()
    assert server is not None
    return server


async def answer(engine: AsyncEngine, statement: str) -> object:
    """Return a statement's one value, as soon as the server answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with engine.connect() as connection:
                    return (await connection.execute(text(statement))).scalar_one()
            except (OSError, SQLAlchemyError, asyncpg.PostgresError):
                await asyncio.to_thread(os.sched_yield)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT])
async def test_an_embedded_server_that_ends_is_started_again(tmp_path: Path, how: signal.Signals) -> None:
    """Kill the embedded server under the service: it is back by itself, with all that was committed."""
    async with running_postgres(tmp_path / "data", ephemeral=True) as url:
        engine = create_engine(url, "test")
        async with engine.begin() as connection:
            await connection.execute(text("create table kept as select 1 as one"))
        server = await server_of(engine)
        server.send_signal(how)
        await asyncio.to_thread(psutil.wait_procs, [server], 30)
        assert await answer(engine, "select one from kept") == 1
        await engine.dispose()


async def test_a_cycle_outlives_the_loss_of_the_database(tmp_path: Path) -> None:
    """The database goes in the middle: cycles complete meanwhile, and the backlog drains after its return."""
    async with running_simulator() as simulator:
        settings = replay_settings(simulator, "", tmp_path / "data").with_values(database_url=None)
        async with (
            running_database(settings, ephemeral=True) as database,
            running_service(settings, database) as service,
        ):
            assert service.write_queue is not None
            await service.control.run_cycle()
            await service.write_queue.drain()
            server = await server_of(database.engine)
            processes = [server, *server.children(recursive=True)]
            for process in processes:
                process.suspend()
            run = await service.control.run_cycle()
            pending = service.write_queue.stats().pending
            for process in processes:
                process.kill()
            await service.write_queue.drain()
            assert run.status == "completed"
            assert pending > 0
            assert (await database.facts.facts()).doubled == 0


async def told(api: Api, *, ready: bool) -> set[str]:
    """Return the codes of the alerts as soon as the status says so of the database."""
    async with asyncio.timeout(60):
        while True:
            status = await api.get("/api/status")
            if status["database"]["ready"] is ready:
                return {alert["code"] for alert in status["alerts"]}


async def database_metric(api: Api) -> str:
    """Return what the metrics say of the database."""
    async with api.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(line for line in lines if line.startswith("overround_ready_database "))


async def test_a_database_that_goes_is_told_of(tmp_path: Path) -> None:
    """Status, its alerts and the metric that wakes somebody say that it is away, and that it is back."""
    async with AsyncExitStack() as server:
        url = await server.enter_async_context(running_postgres(tmp_path / "elsewhere"))
        async with running_api(url, tmp_path / "data") as api:
            await api.cycle()
            assert await told(api, ready=True) == set()
            await server.aclose()
            await api.service.control.run_cycle()
            assert await told(api, ready=False) == {"writes_fail"}
            assert await database_metric(api) == "overround_ready_database 0.0"
            async with running_postgres(tmp_path / "elsewhere", ephemeral=True):
                assert await told(api, ready=True) == set()
                assert await database_metric(api) == "overround_ready_database 1.0"
