"""The real service on bookmakers that always say the same, at a time that stands still."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec

from overround.clock import SystemClock
from overround.settings import BookmakerSettings, ScheduleSettings, ScrapingSettings, SecuritySettings, Settings
from overround.wiring import Service, running_database, running_service
from tests.support.service import Api, serving

COMMAND = str(Path(sys.executable).with_name("overround"))
SLUGS = ("betpawa", "sportybet", "bet9ja")
_NOWHERE = 9  # the port of the discard service: nobody answers
_UNHURRIED = timedelta(minutes=10)  # a batch is stored whole, however slow this machine is


class StandingClock(SystemClock):
    """A clock whose instants stand still but for `advance`; what is waited for takes its time."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now += timedelta(seconds=seconds)


class Simulator(msgspec.Struct, frozen=True, kw_only=True):
    """The bookmakers' servers, in a process of their own."""

    port: int
    earliest_kickoff: datetime

    async def control(self, path: str, content: object) -> None:
        """Change the tick or the faults."""
        address = f"http://127.0.0.1:{self.port}/_control/{path}"
        async with aiohttp.ClientSession() as session, session.put(address, json=content) as response:
            assert response.status == 200, await response.text()


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A running service: its API, its clock and, where it has any, its bookmakers."""

    api: Api
    clock: StandingClock
    simulator: Simulator | None = None

    async def cycle(self, tick: int | None = None, seconds: float = 30) -> None:
        """Move the clock and, to a tick, the market; run a cycle, and wait until the database has it."""
        self.clock.advance(seconds)
        if tick is not None and self.simulator is not None:
            await self.simulator.control("tick", {"tick": tick})
        await self.api.cycle()


@asynccontextmanager
async def simulated(*arguments: str) -> AsyncIterator[Simulator]:
    """Run `overround simulate`; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "simulate", "--port", "0", "--json", *arguments), stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield msgspec.json.decode(await process.stdout.readline(), type=Simulator)
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def running(
    database_url: str,
    data_dir: Path,
    clock: StandingClock,
    simulator: Simulator | None = None,
    security: SecuritySettings | None = None,
) -> AsyncIterator[Running]:
    """Run the service and serve its API; without a simulator, its bookmakers are away."""
    port = _NOWHERE if simulator is None else simulator.port
    settings = Settings(
        data_dir=data_dir,
        database_url=database_url,
        bookmakers={slug: BookmakerSettings(base_url=f"http://127.0.0.1:{port}/{slug}") for slug in SLUGS},
        scraping=ScrapingSettings(
            sports=("football", "basketball", "tennis"),
            horizon=None,
            retry_base=timedelta(milliseconds=1),
            store_within=_UNHURRIED,
            on_demand_cool_down=_UNHURRIED,
        ),
        schedule=ScheduleSettings(enabled=False),
        security=security or SecuritySettings(),
    )

    @asynccontextmanager
    async def service() -> AsyncIterator[Service]:
        async with running_database(settings) as database, running_service(settings, database, clock) as started:
            yield started

    async with serving(service) as api:
        # The first comparison of cache and database belongs to the start, and must not see a cycle's prices.
        while simulator is not None and api.service.integrity.last is None:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)
        yield Running(api=api, clock=clock, simulator=simulator)


async def minted_key(database_url: str, name: str, role: str) -> str:
    """Make a key on the command line, and return it."""
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "keys", "create", name, "--role", role, "--json"),
        env={"OVERROUND_DATABASE_URL": database_url},
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    return str(json.loads(output)["key"])
