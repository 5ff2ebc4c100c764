"""Compare decoding and normalising of single-event bodies with msgspec's bare typed decoding of the same bytes.

Files are named `<bookmaker>_*.json`; without arguments the package's own recordings are measured. Those
hold a tenth of a real body's markets, so that what each body costs whatever its size weighs more: budgets
are judged on captures.
Both are timed in turns in one process, so that the ratio means something on a busy machine, and on
warm tables, as in a running service.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import msgspec

from overround.bookmakers.bet9ja import wire as bet9ja
from overround.bookmakers.betpawa import wire as betpawa
from overround.bookmakers.registry import load_bookmakers
from overround.bookmakers.sportybet import wire as sportybet
from overround.catalogue import load_catalogue
from overround.ports import Normaliser

ROUNDS = 200
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

DECODERS: Mapping[str, Callable[[bytes], object]] = {
    "betpawa": lambda body: betpawa.version_of(body).event.decode(body),
    "sportybet": sportybet.ANSWER.decode,
    "bet9ja": bet9ja.ANSWER.decode,
}


class Measurement(msgspec.Struct, frozen=True):
    """One file's medians, in microseconds."""

    name: str
    markets: int
    bare: float
    full: float


def measure(path: Path, normaliser: Normaliser) -> Measurement:
    """Time both ways in turns, after a few rounds that fill the tables."""
    body = path.read_bytes()
    decode = DECODERS[bookmaker_of(path)]
    offer = normaliser.normalise(body, LONG_AGO)
    bare: list[int] = []
    full: list[int] = []
    for _ in range(ROUNDS):
        bare.append(timed(lambda: decode(body)))
        full.append(timed(lambda: normaliser.normalise(body, LONG_AGO)))
    markets = len(offer.markets) + sum(unmapped.count for unmapped in offer.unmapped)
    return Measurement(path.name, markets, statistics.median(bare) / 1000, statistics.median(full) / 1000)


def timed(work: Callable[[], object]) -> int:
    """Return how many nanoseconds a call takes."""
    start = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - start


def bookmaker_of(path: Path) -> str:
    """Return the bookmaker that a file name begins with."""
    return path.name.partition("_")[0]


def recordings() -> Sequence[Path]:
    """Return the recordings that ship with the package."""
    folder = Path(str(files("overround"))) / "simulator" / "recordings"
    return sorted(path for path in folder.glob("*.json") if bookmaker_of(path) in DECODERS)


def main() -> None:
    """Print a line a file, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    paths: Sequence[Path] = parser.parse_args().files or recordings()
    if not paths:
        parser.error("there are no recordings; name files")
    catalogue = load_catalogue()
    bookmakers = load_bookmakers()
    normalisers = {slug: bookmakers[slug].normaliser(catalogue) for slug in DECODERS}
    found = [measure(path, normalisers[bookmaker_of(path)]) for path in paths]
    total = Measurement(
        "all", *(sum(values) for values in zip(*((m.markets, m.bare, m.full) for m in found), strict=True))
    )
    sys.stdout.write(f"{'file':40} {'markets':>8} {'bare us':>9} {'full us':>9} {'ratio':>6}\n")
    for line in [*found, total]:
        times = f"{line.bare:9.0f} {line.full:9.0f} {line.full / line.bare:6.2f}"
        sys.stdout.write(f"{line.name:40} {line.markets:8} {times}\n")


if __name__ == "__main__":
    main()
