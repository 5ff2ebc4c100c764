"""Tells what a tick of the simulated market costs the simulator, next to what scraping it costs the service.

`python -m scripts.simulator_cost --events 1300 --ticks 5` prints processor seconds of both processes for each tick.
The simulator's are of pricing, rendering, compressing and serving; the service's of fetching, normalising, comparing,
caching and journalling, and of what it hands to the database. Exit code 1 if a later tick costs the simulator more.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from overround.cli.market import Market, MarketRequest
from overround.logs import configure_logs
from overround.wiring import Service
from scripts.oracle_check import scraped_market


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds of one tick."""

    tick: int
    simulator: float
    service: float


async def tick_cost(market: Market, service: Service) -> Cost:
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


def _print(cost: Cost) -> None:
    sys.stdout.write(f"| {cost.tick} | {cost.simulator:.2f} | {cost.service:.2f} |\n")
    sys.stdout.flush()


def main() -> int:
    """Print a row for each tick; return 1 if the simulator costs more than the service, the first tick apart."""
    parser = argparse.ArgumentParser(description="Compare what a tick costs the simulator and the service.")
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ticks", type=int, default=5)
    arguments = parser.parse_args()
    configure_logs("error")
    sys.stdout.write("| tick | simulator, processor s | service, processor s |\n|---|---|---|\n")
    request = MarketRequest(events=arguments.events, seed=arguments.seed)
    later = asyncio.run(costs(request, max(2, arguments.ticks), _print))[1:]
    simulator, service = (median(getattr(cost, name) for cost in later) for name in ("simulator", "service"))
    sys.stdout.write(f"\nLater ticks, median: simulator {simulator:.2f} s, service {service:.2f} s.\n")
    return 0 if simulator < service else 1


if __name__ == "__main__":
    sys.exit(main())
