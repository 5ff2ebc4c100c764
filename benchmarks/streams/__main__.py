"""Measures the live stream: many clients, some of them slow, while cycles run over a simulated market.

A child process serves, as `overround serve` does; this one has the clients. The fast ones follow the markets that
the page shows, the slow ones six more; these take the image as it comes, and from then on until the cycles are over
a burst of bytes at a time, with nothing for long in between. At the end the slow ones and some of the fast ones are
compared, cell by cell, with what `/api/events` says. Prints one JSON object; times are in milliseconds but where named
otherwise. Run as `python -m benchmarks.streams`.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import aiohttp
import msgspec

from benchmarks.stream_mirror import Mirror
from benchmarks.streams.clients import MORE_MARKETS, Client, latencies
from benchmarks.streams.server import HOST, Cycle, serve
from overround.gc_pauses import resting
from overround.streaming.client import BUFFER

BUDGET_MS = 250
MIRRORED = 5  # of the fast ones: applying everything to everybody's mirror would take this machine's time
_PATIENCE = 120  # seconds

Books = Mapping[tuple[int, str], Mapping[str, Any]]


class Bench:
    """The serving process, and the clients on it."""

    def __init__(self, options: argparse.Namespace, orders: Connection, port: int, server: BaseProcess) -> None:
        fast, slow = options.clients - options.slow, options.slow
        self.fast = [Client(mirrored=number < MIRRORED) for number in range(fast)]
        self.slow = [Client(mirrored=True, pause=options.slow_pause, burst=options.slow_bytes) for _ in range(slow)]
        self.tasks: list[asyncio.Task[None]] = []
        self.cycles = options.cycles
        self._orders = orders
        self._port = port
        self._server = server

    async def run(self) -> Mapping[str, object]:
        """Return all figures."""
        address = f"http://{HOST}:{self._port}"
        async with aiohttp.ClientSession(address) as session:
            await _until_ready(session)
            alone, _ = await self._run_cycles(2)
            with resting():  # Python's collector halts all clients for two seconds, looking at the mirrors
                connected = await self._connect()
                cycles, appended = await self._run_cycles(self.cycles)
            status = await _get(session, "/api/status")
            differing = await self._differing(session)
        stopped = await self._stop()
        return {
            "clients": len(self.fast) + len(self.slow),
            "slow": len(self.slow),
            "images_seconds": connected,
            "latency": _summary(latencies(self.fast, appended)),
            "budget_p99": BUDGET_MS,
            "received_mb": {name: _megabytes(group) for name, group in (("fast", self.fast), ("slow", self.slow))},
            "conflations_of_slow": [one.mirror.counts["conflated"] for one in self.slow if one.mirror is not None],
            "conflations": status["streams"]["conflated"],
            "differing_clients": differing,
            "loop_lag_p99": status["process"]["loop_lag_p99_ms"],
            "cycles_without_clients": _told(alone),
            "cycles": _told(cycles),
            "stop_seconds": stopped,
        }

    async def _run_cycles(self, count: int) -> tuple[Sequence[Cycle], Mapping[int, float]]:
        self._orders.send(count)
        answer: tuple[Sequence[Cycle], Mapping[int, float]] = await asyncio.to_thread(self._orders.recv)
        print(f"{count} cycles: {_told(answer[0])}", file=sys.stderr)  # noqa: T201 - so that one sees it live
        return answer

    async def _connect(self) -> float:
        """Connect all clients at once; return after how many seconds all had their images."""
        began = time.perf_counter()
        clients = [*self.fast, *self.slow]
        self.tasks = [asyncio.create_task(client.follow(self._port)) for client in clients]
        await asyncio.gather(*(client.imaged.wait() for client in clients))
        return round(time.perf_counter() - began, 1)

    async def _differing(self, session: aiohttp.ClientSession) -> list[str]:
        """Let the slow ones read on at full speed, and return what is wrong with whom."""
        for client in self.slow:
            client.hurry.set()
        expected = await _events(session)
        found: list[str] = []
        for number, client in enumerate([*self.fast, *self.slow]):
            if client.mirror is not None:
                chosen = _of_markets(expected, client.markets.split(","))
                found += [f"{number}: {one}" for one in await _wrong(client.mirror, chosen)]
        return found

    async def _stop(self) -> Mapping[str, float]:
        """Send SIGTERM while all clients are there; return after how long their streams and the process had ended."""
        self._orders.send(0)  # no more cycles
        began = time.perf_counter()
        os.kill(self._server.pid or 0, signal.SIGTERM)
        await asyncio.wait(self.tasks, timeout=_PATIENCE)
        streams = time.perf_counter() - began
        await asyncio.to_thread(self._server.join, _PATIENCE)
        return {"streams": round(streams, 1), "process": round(time.perf_counter() - began, 1)}


async def _wrong(mirror: Mirror, expected: Books) -> list[str]:
    """Wait for a mirror to have what is expected; return what it has not, in the end, and what went wrong before."""
    for _ in range(5 * _PATIENCE):
        if _differing_books(mirror, expected) == 0:
            break
        await asyncio.sleep(0.2)
    differing = _differing_books(mirror, expected)
    return [*mirror.faults[:3], *([f"{differing} books differ"] if differing else [])]


def _differing_books(mirror: Mirror, expected: Books) -> int:
    held = mirror.prices()
    return sum(held.get(key) != book for key, book in expected.items()) + len(held.keys() - expected.keys())


def _of_markets(books: Books, markets: Sequence[str]) -> Books:
    chosen = {key: {name: cell for name, cell in book.items() if name in markets} for key, book in books.items()}
    return {key: book for key, book in chosen.items() if book}


async def _events(session: aiohttp.ClientSession) -> Books:
    """Return the cells of all events as the API gives them: from the cache, not from the stream."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    offset, total = 0, 1
    while offset < total:
        page = await _get(session, f"/api/events?limit=500&offset={offset}&markets={MORE_MARKETS}")
        cells = (
            (event["sr_id"], slug, market["key"], cell)
            for event in page["events"]
            for market in event["markets"]
            for slug, cell in market["bookmakers"].items()
        )
        for sr_id, slug, key, cell in cells:
            if not cell["state"].startswith("not_"):
                found.setdefault((sr_id, slug), {})[key] = cell
        offset, total = offset + 500, page["total"]
    return found


async def _get(session: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401 - JSON
    async with session.get(path) as response:
        return await response.json()


async def _until_ready(session: aiohttp.ClientSession) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while time.perf_counter() < deadline:
        try:
            await _get(session, "/health/live")
        except aiohttp.ClientError:
            await asyncio.sleep(0.2)
        else:
            return
    raise SystemExit("the service did not start")


def _summary(ordered: Sequence[float]) -> Mapping[str, float]:
    def at(percent: float) -> float:
        return round(ordered[int((len(ordered) - 1) * percent / 100)], 1) if ordered else 0.0

    return {"changes": len(ordered), "p50": at(50), "p99": at(99), "p99_9": at(99.9), "max": at(100)}


def _megabytes(clients: Sequence[Client]) -> float:
    return round(statistics.mean(client.received for client in clients) / 2**20, 1) if clients else 0.0


def _told(cycles: Sequence[Cycle]) -> list[Mapping[str, float]]:
    return [msgspec.structs.asdict(one) for one in cycles]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--slow", type=int, default=20, help="of them")
    parser.add_argument("--slow-bytes", type=int, default=2**17, help="that a slow client reads at once")
    parser.add_argument("--slow-pause", type=float, default=20, help="seconds for which it then reads nothing")
    parser.add_argument(
        "--buffer", type=int, default=BUFFER, help="bytes that a client may be behind; fewer for few events"
    )
    parser.add_argument("--cycles", type=int, default=8, help="back to back, with all clients")
    options = parser.parse_args()
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    server = spawning.Process(target=serve, args=(options.events, port, options.buffer, theirs))
    server.start()
    try:
        results = asyncio.run(Bench(options, ours, port, server).run())
    finally:
        ours.close()
        server.join(30)
        if server.is_alive():
            server.kill()
    print(json.dumps({"events": options.events, "buffer": options.buffer, **results}, indent=2))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
