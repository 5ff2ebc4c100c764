"""Measures the API's answers from memory while something like a cycle goes on in the same event loop.

The cache holds a simulated market: 1,300 events at three bookmakers. The load decodes, normalises, compares and
stores rendered bodies as a cycle does, at a given number of events a second, without the network and the database.
A child process serves; this one asks, over loopback. The bare route, a FastAPI route that returns constant bytes
as long as the first page, runs in the same process under the same load, in turns with the page. Prints one JSON
object; times are in milliseconds. Run as `python -m benchmarks.api`.
"""

import argparse
import itertools
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.pipeline import bare_route
from benchmarks.pipeline.asking import EVENTS, event_numbers, event_path, every_event
from benchmarks.served_market import serve
from benchmarks.wire_client import GZIP, IDENTITY, WireClient, wire_client
from overround.cli.web_server import listening

PAGE = EVENTS
BARE = bare_route.PATH
_CLIENTS = 4  # that ask at once for throughput


def latencies(client: WireClient, paths: Iterator[str], seconds: float, encoding: bytes) -> Sequence[float]:
    """Ask about a hundred times a second, one request at a time; return what each took in milliseconds."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        client.get(next(paths), encoding)
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(0.01)
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


def throughput(clients: Sequence[WireClient], path: str, seconds: float) -> float:
    """Return requests a second that several connections get, each asking as fast as it is answered."""
    end = time.perf_counter() + seconds

    def ask(client: WireClient) -> int:
        count = 0
        while time.perf_counter() < end:
            client.get(path)
            count += 1
        return count

    with ThreadPoolExecutor(len(clients)) as threads:
        return sum(threads.map(ask, clients)) / seconds


def measure(clients: Sequence[WireClient], seconds: float, rounds: int) -> Mapping[str, object]:
    """Return all figures."""
    client = clients[0]
    shown = [event_path(number) for number in event_numbers(client, PAGE)]
    every = every_event(client)
    for path in every:  # nobody encodes ahead here, as the service does
        client.get(path)
    size = len(client.get(PAGE))
    chance = random.Random(1)  # noqa: S311 - a choice of requests
    named: Mapping[str, tuple[Iterator[str], bytes]] = {
        "first_page": (itertools.repeat(PAGE), IDENTITY),
        "first_page_gzip": (itertools.repeat(PAGE), GZIP),
        "event_on_first_page": (iter(lambda: chance.choice(shown), None), IDENTITY),
        "event_of_all": (iter(lambda: chance.choice(every), None), IDENTITY),
        "event_of_all_gzip": (iter(lambda: chance.choice(every), None), GZIP),
        "bare": (itertools.repeat(BARE), IDENTITY),
    }
    taken: dict[str, list[float]] = {name: [] for name in named}
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        for name, (paths, encoding) in named.items():
            found = latencies(client, paths, seconds / rounds, encoding)
            taken[name] += found if number else ()  # the first round warms up
        page, bare = [throughput(clients, path, seconds / rounds / 2) for path in (PAGE, BARE)]
        pairs += [(page, bare)] if number else []
    results: dict[str, object] = {"events": len(every), "first_page_bytes": size}
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
            with ExitStack() as stack:
                clients = [stack.enter_context(wire_client(f"http://127.0.0.1:{port}")) for _ in range(_CLIENTS)]
                results = measure(clients, options.seconds, options.rounds)
        finally:
            server.terminate()
            server.join()
    print(json.dumps({"load_events_a_second": options.load, **results}, indent=2))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
