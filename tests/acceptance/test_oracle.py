"""Cache and stored history against the market model, cycle by cycle, with every fault the simulator knows."""

import pytest
from scripts.oracle_check import check

from overround.cli.market import MarketRequest
from overround.simulator.faults import Fault, FaultName

MARKET = MarketRequest(events=24, seed=3)


async def test_cache_and_history_equal_the_market() -> None:
    """Over several ticks, every state in the cache, and every state folded from history, is the market's own."""
    verdict = await check(MARKET, cycles=5)
    assert verdict.sound, verdict.differing + verdict.stored_differing
    assert verdict.failed_fetches == {}
    assert set(verdict.statuses) == {"completed"}
    assert verdict.compared > 300


@pytest.mark.parametrize("fault", FaultName)
async def test_a_fault_harms_nobody_else_and_removes_nothing(fault: FaultName) -> None:
    """With a fault at one bookmaker: what could be seen is right, nothing is removed, the others lose nothing."""
    verdict = await check(MARKET, cycles=3, faults=[Fault(name=fault, bookmakers=("sportybet",))])
    assert verdict.sound, verdict.differing + verdict.stored_differing
    assert set(verdict.failed_fetches) <= {"sportybet"}
    assert (verdict.statuses[0], verdict.statuses[-1]) == ("completed", "completed")
    assert verdict.stored_compared > 100
