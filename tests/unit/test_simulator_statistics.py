"""The simulated market moves as real ones were measured to."""

import statistics
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from overround.records.odds import MarketKey, MarketPrices, margin
from overround.simulator.server.oracle import Expected, Oracle
from tests.support.simulated import SLUGS, shared_model

EVENTS = 100
TICKS = 50


class Sums(msgspec.Struct):
    """What was seen of one bookmaker over all ticks: snapshots, markets, and how far prices moved in per cent."""

    snapshots: int = 0
    unchanged: int = 0
    markets: int = 0
    changed: int = 0
    gone: int = 0
    returned: int = 0
    suspended: int = 0
    moves: list[float] = []
    margins: list[float] = []
    changed_by_snapshot: list[float] = []


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Sums]:
    """Watch all bookmakers over the ticks."""
    model = shared_model(5, EVENTS)
    return {slug: watched(Oracle(model), slug) for slug in SLUGS}


def watched(oracle: Oracle, slug: str) -> Sums:
    """Return one bookmaker's sums."""
    sums = Sums()
    before: dict[str, Expected] = {}
    suspended: dict[str, int] = {}
    for tick in range(TICKS + 1):
        now = {state.listing.listing_id: state for state in oracle.states(slug, tick)}
        for listing_id in now.keys() & before.keys():
            old, new = before[listing_id].markets, now[listing_id].markets
            count(sums, old, new)
            if old is not new or listing_id not in suspended:
                suspended[listing_id] = sum(1 for prices in new.values() if max(prices.prices) < 0)
            sums.suspended += suspended[listing_id]
        before = now
    sums.margins = sorted(margins(before))
    return sums


def count(sums: Sums, old: Mapping[MarketKey, MarketPrices], new: Mapping[MarketKey, MarketPrices]) -> None:
    """Add one event's step to the sums."""
    changed = [] if old is new else [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    sums.snapshots += 1
    sums.unchanged += not changed
    sums.markets += len(new)
    sums.changed += len(changed)
    if changed:
        sums.changed_by_snapshot.append(len(changed) / len(new))
    for key in changed:
        sums.gone += key not in new
        sums.returned += key not in old
        pairs = zip(old[key].prices, new[key].prices, strict=True) if key in old and key in new else ()
        sums.moves += [100 * abs(after / price - 1) for price, after in pairs if min(price, after) > 0 != price - after]


def margins(states: Mapping[str, Expected]) -> Iterator[float]:
    """Yield the margins of the match results, in per cent."""
    for state in states.values():
        prices = state.markets.get(MarketKey("match_result"))
        found = margin(prices, 1) if prices else None
        if found is not None:
            yield float(100 * found)


def test_most_snapshots_are_unchanged(seen: Mapping[str, Sums]) -> None:
    """From tick to tick about 65 % of the snapshots stay as they were: 58 to 72 % over all bookmakers."""
    assert 0.58 <= sum(sums.unchanged for sums in seen.values()) / sum(sums.snapshots for sums in seen.values()) <= 0.72


def test_few_markets_change_and_in_clusters(seen: Mapping[str, Sums]) -> None:
    """2 to 4 % of the markets change in a tick, in those snapshots that change at all several at once."""
    for sums in seen.values():
        assert 0.018 <= sums.changed / sums.markets <= 0.04
        assert statistics.mean(sums.changed_by_snapshot) > 0.05


def test_moves_are_small(seen: Mapping[str, Sums]) -> None:
    """The median move is about 1 %, a tenth is below 0.6 %, a tenth above 2.5 to 6 %, and next to none above 50 %."""
    for sums in seen.values():
        moves = sorted(sums.moves)
        tenths = statistics.quantiles(moves, n=10)
        assert 0.25 <= tenths[0] <= 0.6
        assert 0.8 <= statistics.median(moves) <= 1.5
        assert 2.5 <= tenths[-1] <= 6
        assert sum(move > 50 for move in moves) / len(moves) < 0.001


def test_markets_go_and_come_back(seen: Mapping[str, Sums]) -> None:
    """0.01 to 1 % of the markets disappear in a tick, about as many return, and some are suspended."""
    for sums in seen.values():
        assert 0.0001 <= sums.gone / sums.markets <= 0.01
        assert 0.5 <= sums.gone / sums.returned <= 2
        assert 0 < sums.suspended / sums.markets < 0.02


def test_margins_are_each_bookmakers_own(seen: Mapping[str, Sums]) -> None:
    """Median margins of the match result lie within 1.5 points of the bookmaker's own, spread by league."""
    medians = {slug: statistics.median(sums.margins) for slug, sums in seen.items()}
    assert medians["bet9ja"] == pytest.approx(8.0, abs=1.5)
    assert medians["sportybet"] == pytest.approx(8.8, abs=1.5)
    assert medians["betpawa"] == pytest.approx(10.1, abs=1.5)
    for sums in seen.values():
        tenths = statistics.quantiles(sums.margins, n=10)
        assert tenths[-1] - tenths[0] > 2
