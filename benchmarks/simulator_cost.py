"""Tells what a tick of the simulated market costs the simulator, next to what scraping it costs the service.

`python -m benchmarks.simulator_cost --events 1300 --ticks 5` prints processor seconds of both processes for each tick.
The simulator's are of pricing, rendering, compressing and serving; the service's of fetching, normalising, comparing,
caching and journalling, and of what it hands to the database. At the first tick the model prices all markets from
nothing; that is measured once more by itself, in this process, so that what rendering costs can be told from it.
Exit code 1 if rendering the first tick, or a later tick as a whole, costs the simulator more than it costs the service.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from overround.cli.market import SPORTS, DemoMarket, MarketRequest
from overround.logs import configure_logs
from overround.simulator.model.parameters import Parameters
from overround.simulator.server.oracle import build_model
from overround.wiring import Service
from tools.oracle_check import scraped_market


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds of one tick."""

    tick: int
    simulator: float
    service: float


async def tick_cost(market: DemoMarket, service: Service) -> Cost:
    """Go on by a tick, scrape it, and return what that cost both processes."""
    await market.next_cycle()
    before = await market.simulator.status()
    started = time.process_time()
    await service.control.run_cycle()
    if service.write_queue is not None:
        await service.write_queue.drain()
    used = time.process_time() - started
    after = await market.simulator.status()
    return Cost(tick=after.tick, simulator=after.processor_seconds - before.processor_seconds, service=used)


async def costs(request: MarketRequest, ticks: int, tell: Callable[[Cost], None]) -> Sequence[Cost]:
    """Return the costs of so many ticks, and `tell` each when it is known."""
    found: list[Cost] = []
    async with scraped_market(request) as (market, service):
        for _ in range(ticks):
            found.append(await tick_cost(market, service))
            tell(found[-1])
    return found


def pricing_cost(request: MarketRequest) -> float:
    """Return the processor seconds of pricing all markets of the first tick, without writing them down."""
    model = build_model(Parameters(seed=request.seed, events=request.events, sports=SPORTS))
    started = time.process_time()
    for slug in model.bookmakers:
        for event in model.events(slug, 0):
            model.markets(slug, event.listing.listing_id, 0)
    return time.process_time() - started


def _print(cost: Cost) -> None:
    sys.stdout.write(f"| {cost.tick} | {cost.simulator:.2f} | {cost.service:.2f} |\n")
    sys.stdout.flush()


def main() -> int:
    """Print a row for each tick; return 1 if the simulator costs more than the service, first pricing apart."""
    parser = argparse.ArgumentParser(description="Compare what a tick costs the simulator and the service.")
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ticks", type=int, default=5)
    arguments = parser.parse_args()
    configure_logs("error")
    sys.stdout.write("| tick | simulator, processor s | service, processor s |\n|---|---|---|\n")
    request = MarketRequest(events=arguments.events, seed=arguments.seed)
    first, *later = asyncio.run(costs(request, max(2, arguments.ticks), _print))
    pricing = pricing_cost(request)
    simulator, service = (median(getattr(cost, name) for cost in later) for name in ("simulator", "service"))
    rendering = first.simulator - pricing
    sys.stdout.write(
        f"\nFirst tick: pricing {pricing:.2f} s, all else of the simulator {rendering:.2f} s, "
        f"service {first.service:.2f} s.\n"
        f"Later ticks, median: simulator {simulator:.2f} s, service {service:.2f} s.\n"
    )
    return 0 if simulator < service and rendering < first.service else 1


if __name__ == "__main__":
    sys.exit(main())
