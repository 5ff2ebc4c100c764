"""A bookmakers' server whose prices move from one request to the next, and which outlives the services it feeds.

`python -m tests.crash.moving_prices DIRECTORY PORT` serves the recordings of a directory.
"""

import asyncio
import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from overround.bookmakers.registry import load_bookmakers
from overround.ports import SimulatedAnswer, SimulatedBookmaker
from overround.simulator.captures import load_recordings
from overround.simulator.server import serve

_MOVES = 0.2  # the share of prices that move
_PRICES: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "betpawa": re.compile(rb'("odds":)([\d.]+)()'),
        "sportybet": re.compile(rb'("odds":")([\d.]+)(")'),
        "bet9ja": re.compile(rb'("S_[^"]+":")(\d[\d.]*)(")'),
    }
)


class MovingPrices:
    """A simulated bookmaker in front of another: every answer has some prices of its own."""

    def __init__(self, inner: SimulatedBookmaker, prices: re.Pattern[bytes], chance: random.Random) -> None:
        self._inner = inner
        self._prices = prices
        self._chance = chance

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer with moved prices."""
        answer = self._inner.answer(method, path, query, body)
        return msgspec.structs.replace(answer, body=self._prices.sub(self._moved, answer.body))

    def _moved(self, found: re.Match[bytes]) -> bytes:
        if self._chance.random() > _MOVES:
            return found[0]
        hundredths = self._chance.randint(101, 5000)
        return b"%s%d.%02d%s" % (found[1], hundredths // 100, hundredths % 100, found[3])


def main(directory: Path, port: int) -> None:
    """Serve until stdin ends."""
    bookmakers = load_bookmakers()
    captures = load_recordings(directory, bookmakers)
    chance = random.Random(port)  # noqa: S311 - prices are no secret
    simulated = {
        slug: MovingPrices(bookmakers[slug].replay(captures.recordings[slug]), prices, chance)
        for slug, prices in _PRICES.items()
    }
    asyncio.run(serve(captures, simulated, port))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
