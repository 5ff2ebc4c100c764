"""A fault drill: one bookmaker fails in every way there is, and the others lose nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from overround.cli.market import SPORTS, DemoMarket, MarketRequest, running_market
from overround.records.batch import ScrapeRun
from overround.settings import BookmakerSettings, ScheduleSettings, ScrapingSettings, Settings
from overround.simulator.server.faults import Fault, FaultName
from overround.wiring import Service, running_database, running_service
from tests.support.service import Api, serving
from tools.oracle_check import Check

VICTIM = "sportybet"
OTHERS = ("betpawa", "bet9ja")
LIMIT = 6  # requests at once
PATIENCE = 60.0  # seconds for a request: nothing fails because this machine is busy
HASTE = 2.0  # less than a slow body takes
# A request waits less than the simulator's Retry-After asks for: the drill does not wait, it counts.
SCRAPING = ScrapingSettings(horizon=None, sports=SPORTS, max_attempts=1, retry_cap=timedelta(seconds=0.5))


class Drill:
    """A simulated market with its service, its API, and the model to compare with."""

    def __init__(self, api: Api, market: DemoMarket) -> None:
        self.api = api
        self.check = Check(api.service, market)

    async def cycle(self, *faults: Fault) -> ScrapeRun:
        """Go on by a tick and scrape with these faults; the others lose nothing, and nothing is removed by them."""
        await self.check.cycle(faults)
        run = self.api.service.control.runs()[0]
        for slug in OTHERS:
            counts = run.counts[slug]
            assert (counts.failed, counts.discovery_failed) == (0, 0), faults
            assert counts.changed + counts.confirmed >= 20, faults
        # What could not be seen is compared with the tick at which it was seen last.
        assert self.check.verdict.differing == [], faults
        return run

    async def bookmaker(self, slug: str = VICTIM) -> dict[str, Any]:
        """Return what the API says about a bookmaker."""
        found = (await self.api.get("/api/bookmakers"))["bookmakers"]
        return next(one for one in found if one["slug"] == slug)

    async def errors(self, slug: str = VICTIM) -> Mapping[str, int]:
        """Return a bookmaker's errors by class, which API and metrics must agree about."""
        reported = (await self.bookmaker(slug))["errors"]
        async with self.api.session.get("/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        shown = {
            sample.labels["class"]: int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == "overround_bookmaker_errors_total" and sample.labels["bookmaker"] == slug
        }
        assert {name: count for name, count in shown.items() if count} == reported
        return shown

    async def strike(self, fault: Fault, error_class: str) -> None:
        """Scrape with a fault at the victim: the run is partial, and the failures show by their class."""
        before = (await self.errors())[error_class]
        run = await self.cycle(fault)
        assert run.status == "partial", fault
        assert run.counts[VICTIM].failed > 0, fault
        assert run.errors[error_class] > 0, fault
        assert (await self.errors())[error_class] > before, fault

    async def recovers(self, within: int) -> None:
        """Scrape without faults until all is as before; the last of these cycles is complete."""
        for _ in range(within):
            run = await self.cycle()
            one = await self.bookmaker()
            if one["concurrency"]["allowed"] == LIMIT and run.status == "completed":
                assert one["breaker"]["state"] == "closed"
                return
        raise AssertionError(f"not recovered: {one}")


@asynccontextmanager
async def running_drill(database_url: str, data_dir: Path, victims_limit: float) -> AsyncIterator[Drill]:
    """Run a drill that begins with all well; a request to the victim may take that many seconds."""
    async with running_market(data_dir, MarketRequest(events=24, seed=3)) as market:
        settings = Settings(
            data_dir=data_dir,
            database_url=database_url,
            scraping=SCRAPING,
            schedule=ScheduleSettings(enabled=False),
            bookmakers={
                slug: BookmakerSettings(
                    base_url=market.simulator.base_url(slug), min_interval_ms=0, concurrency=LIMIT, timeout=limit
                )
                for slug, limit in ((VICTIM, victims_limit), *((other, PATIENCE) for other in OTHERS))
            },
        )

        @asynccontextmanager
        async def service() -> AsyncIterator[Service]:
            async with (
                running_database(settings) as database,
                running_service(settings, database, market.clock) as running,
            ):
                yield running

        async with serving(service) as api:
            drill = Drill(api, market)
            # A simulator that has just started works its answers out first, which may take longer than haste allows.
            await drill.recovers(within=5)
            yield drill
            await drill.check.stored()
            assert drill.check.verdict.sound, drill.check.verdict.stored_differing


@pytest.fixture
async def drill(database_url: str, tmp_path: Path) -> AsyncIterator[Drill]:
    """Yield a drill in which no request times out."""
    async with running_drill(database_url, tmp_path, PATIENCE) as drill:
        yield drill


@pytest.fixture
async def hasty_drill(database_url: str, tmp_path: Path) -> AsyncIterator[Drill]:
    """Yield a drill in which the victim has little time to answer."""
    async with running_drill(database_url, tmp_path, HASTE) as drill:
        yield drill


async def test_every_class_of_failure_is_counted_and_got_over(drill: Drill) -> None:
    """Each fault shows by its class in metrics and API; complaints lower the concurrency, which comes back."""
    drilled = (
        (FaultName.THROTTLED, 0.5, "throttled", True),
        (FaultName.SERVER_ERRORS, 0.5, "transient", False),
        (FaultName.TRUNCATED_JSON, 0.5, "malformed", False),
        (FaultName.HTML, 0.5, "blocked", True),
        (FaultName.EMPTY_202, 0.5, "blocked", True),
        (FaultName.WRONG_SCHEMA, 0.5, "malformed", False),
    )
    for name, share, error_class, complains in drilled:
        await drill.strike(Fault(name=name, bookmakers=(VICTIM,), share=share), error_class)
        assert ((await drill.bookmaker())["concurrency"]["allowed"] < LIMIT) is complains, name
        await drill.recovers(within=3)
    for slug in OTHERS:
        assert not any((await drill.errors(slug)).values())
        assert (await drill.bookmaker(slug))["concurrency"]["allowed"] == LIMIT


@pytest.mark.parametrize("name", [FaultName.HANGS, FaultName.SLOW_BODIES])
async def test_silence_lowers_the_concurrency(hasty_drill: Drill, name: FaultName) -> None:
    """Requests that get no whole answer in time are complaints, and nobody else waits for them."""
    await hasty_drill.strike(Fault(name=name, bookmakers=(VICTIM,), share=0.2), "transient")
    assert (await hasty_drill.bookmaker())["concurrency"]["allowed"] < LIMIT
    await hasty_drill.recovers(within=5)


async def test_a_bookmaker_that_is_gone_is_left_alone_until_it_is_back(drill: Drill) -> None:
    """Gone for ten cycles, it is asked until the breaker opens and then only probed; its prices stay, and age."""
    gone = Fault(name=FaultName.GONE, bookmakers=(VICTIM,))
    cached = drill.api.service.context.cache.stats()
    asked = [(await drill.bookmaker())["requests"]]
    for _ in range(10):
        run = await drill.cycle(gone)
        assert run.status == "partial"
        asked.append((await drill.bookmaker())["requests"])
    sent = [after - before for before, after in pairwise(asked)]
    assert sent[0] >= 20
    assert max(sent[1:]) <= 1
    one = await drill.bookmaker()
    assert one["breaker"]["state"] == "open"
    assert one["breaker"]["retry_at"] > one["breaker"]["since"]
    assert one["staleness_seconds"] > 250
    assert one["errors"]["circuit_open"] > 100
    assert drill.api.service.context.cache.stats().snapshots == cached.snapshots
    alerts = (await drill.api.get("/api/status"))["alerts"]
    assert [alert["code"] for alert in alerts] == ["bookmaker_left_alone"]
    await drill.recovers(within=5)
    assert (await drill.api.get("/api/status"))["alerts"] == []
