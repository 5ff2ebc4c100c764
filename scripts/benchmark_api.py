"""Measures the API's answers from memory while something like a cycle goes on in the same event loop.

The cache holds a simulated market: 1,300 events at three bookmakers. The load decodes, normalises, compares and
stores rendered bodies as a cycle does, at a given number of events a second, without the network and the database.
A child process serves; this one asks, over loopback. The bare route, a FastAPI route that returns constant bytes
as long as the first page, runs in the same process under the same load, in turns with the page. Prints one JSON
object; times are in milliseconds. Run as `python -m scripts.benchmark_api`.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

from overround.cli.web_server import listening
from scripts.pipeline import bare_route
from scripts.served_market import serve

PAGE = b"/api/events"
BARE = bare_route.PATH.encode()
_GZIP = b"Accept-Encoding: gzip\r\n"


class Client:
    """One connection that is kept: as little work as an HTTP client can do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, path: bytes, headers: bytes = b"") -> bytes:
        """Return a successful answer's body."""
        self._writer.write(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, headers))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head[:16]:
            raise SystemExit(f"{path!r} was answered with {head[:100]!r}")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self._reader.readexactly(length)


async def connect(port: int) -> Client:
    """Open a connection."""
    return Client(*await asyncio.open_connection("127.0.0.1", port, limit=2**22))


async def latencies(client: Client, paths: Iterator[bytes], seconds: float, headers: bytes) -> Sequence[float]:
    """Ask about a hundred times a second, one request at a time; return what each took in milliseconds."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        await client.get(next(paths), headers)
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01)
    return taken


def summary(taken: Sequence[float]) -> Mapping[str, float]:
    """Return what is told of latencies."""
    ordered = sorted(taken)
    return {
        "requests": len(ordered),
        "p50": round(statistics.median(ordered), 2),
        "p99": round(ordered[int(len(ordered) * 0.99)], 2),
        "max": round(ordered[-1], 2),
    }


async def throughput(clients: Sequence[Client], path: bytes, seconds: float) -> float:
    """Return requests a second that several connections get, each asking as fast as it is answered."""
    end = time.perf_counter() + seconds

    async def ask(client: Client) -> int:
        count = 0
        while time.perf_counter() < end:
            await client.get(path)
            count += 1
        return count

    return sum(await asyncio.gather(*map(ask, clients))) / seconds


async def measure(port: int, seconds: float, rounds: int) -> Mapping[str, object]:
    """Return all figures."""
    clients = [await connect(port) for _ in range(4)]
    first = json.loads(await clients[0].get(PAGE + b"?limit=50"))
    size = len(await clients[0].get(PAGE))
    shown = [b"%s/%d" % (PAGE, event["sr_id"]) for event in first["events"]]
    every = []
    for offset in range(0, first["total"], 500):
        page = json.loads(await clients[0].get(b"%s?limit=500&offset=%d" % (PAGE, offset)))
        every += [b"%s/%d" % (PAGE, event["sr_id"]) for event in page["events"]]
    for path in every:  # nobody encodes ahead here, as the service does
        await clients[0].get(path)
    chance = random.Random(1)  # noqa: S311 - a choice of requests
    named: Mapping[str, tuple[Iterator[bytes], bytes]] = {
        "first_page": (itertools.repeat(PAGE), b""),
        "first_page_gzip": (itertools.repeat(PAGE), _GZIP),
        "event_on_first_page": (iter(lambda: chance.choice(shown), None), b""),
        "event_of_all": (iter(lambda: chance.choice(every), None), b""),
        "event_of_all_gzip": (iter(lambda: chance.choice(every), None), _GZIP),
        "bare": (itertools.repeat(BARE), b""),
    }
    taken: dict[str, list[float]] = {name: [] for name in named}
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        for name, (paths, headers) in named.items():
            found = await latencies(clients[0], paths, seconds / rounds, headers)
            taken[name] += found if number else ()  # the first round warms up
        page, bare = [await throughput(clients, path, seconds / rounds / 2) for path in (PAGE, BARE)]
        pairs += [(page, bare)] if number else []
    results: dict[str, object] = {"events": first["total"], "first_page_bytes": size}
    results.update({name: summary(found) for name, found in taken.items()})
    results["throughput"] = {
        "first_page": round(statistics.median(page for page, _ in pairs)),
        "bare": round(statistics.median(bare for _, bare in pairs)),
        "ratio": round(statistics.median(page / bare for page, bare in pairs), 3),
    }
    return results


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--load", type=float, default=150, help="events a second that the load works through")
    parser.add_argument("--seconds", type=float, default=14, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=7, help="in which the measurements take turns")
    options = parser.parse_args()
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(listener, options.events, options.load), daemon=True
        )
        server.start()
        try:
            results = asyncio.run(measure(port, options.seconds, options.rounds))
        finally:
            server.terminate()
            server.join()
    print(json.dumps({"load_events_a_second": options.load, **results}, indent=2))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
