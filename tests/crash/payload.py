"""Random prices that can be recognised again: what the light writer offers, and how the oracle knows it."""

import hashlib
import random
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from overround.records.batch import CurrentMarketData, MarketWriteData, SnapshotWriteData, WriteBatch, current_markets
from tests.integration.write_data import HANDICAP, NUMBERS, RESULT, TOTAL

EVENTS = 6
_START = datetime(2026, 1, 7, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST = 6  # snapshots in a batch
_SHAPES = ((RESULT, "", 3), (TOTAL, "line=2.5", 2), (HANDICAP, "line=-0.5", 2))

Market = tuple[int, str, tuple[int, ...]]


def digest(sr_id: int, bookmaker: str, captured_at: datetime, markets: Iterable[Market]) -> bytes:
    """Return what tells one payload from every other."""
    microseconds = (captured_at - _EPOCH) // _MICROSECOND
    return hashlib.blake2b(repr((sr_id, bookmaker, microseconds, list(markets))).encode(), digest_size=16).digest()


class BatchMaker:
    """Makes batches of changed snapshots, later in time from one to the next, and from one process to the next."""

    def __init__(self, seed: int, generation: int) -> None:
        self._random = random.Random(f"{seed}/{generation}")  # noqa: S311 - a test must be repeatable
        self._generation = generation
        self._now = _START + timedelta(seconds=generation)
        self._keys = [(sr_id, bookmaker) for sr_id in range(1, EVENTS + 1) for bookmaker in NUMBERS]
        self.made = 0

    def batch(self) -> WriteBatch:
        """Return the next batch."""
        self.made += 1
        keys = self._random.sample(self._keys, self._random.randint(1, _MOST))
        snapshots = tuple(self._snapshot(*key) for key in keys)
        return WriteBatch(scrape_run_id=self._generation + 1, batch_index=self.made, snapshots=snapshots)

    def _snapshot(self, sr_id: int, bookmaker: str) -> SnapshotWriteData:
        self._now += _MICROSECOND
        changed = self._random.sample(_SHAPES, self._random.randint(1, len(_SHAPES)))
        markets = tuple(MarketWriteData(number, text, self._prices(size)) for number, text, size in changed)
        rest = tuple(
            CurrentMarketData(number, text, self._prices(size), self._now, self._now)
            for number, text, size in _SHAPES
            if number not in {market.market for market in markets}
        )
        return SnapshotWriteData(
            snapshot_id=uuid.UUID(int=self._random.getrandbits(128)),
            sr_id=sr_id,
            bookmaker=bookmaker,
            captured_at=self._now,
            body_hash=b"",
            markets=markets,
            unchanged=current_markets(rest, self._now),
        )

    def _prices(self, size: int) -> tuple[int, ...]:
        return tuple(self._random.randint(1010, 99_000) for _ in range(size))


def markets_of(
    numbers: Sequence[int], specifiers: Sequence[str], counts: Sequence[int], prices: Sequence[int]
) -> list[Market]:
    """Return the markets that a packed row holds."""
    left = iter(prices)
    return [
        (number, text, tuple(next(left) for _ in range(count)))
        for number, text, count in zip(numbers, specifiers, counts, strict=True)
    ]


def digest_of(snapshot: SnapshotWriteData) -> bytes:
    """Return the digest of a snapshot that is offered."""
    markets = [(market.market, market.specifiers, market.prices) for market in snapshot.markets]
    return digest(snapshot.sr_id, snapshot.bookmaker, snapshot.captured_at, markets)
