"""Cache and stored history against the market model, cycle by cycle, with every fault the simulator knows."""

from overround.cli.market import MarketRequest
from overround.simulator.server.faults import FaultName
from tools.fault_table import table
from tools.oracle_check import check

MARKET = MarketRequest(events=24, seed=3)


async def test_cache_and_history_equal_the_market() -> None:
    """Over several ticks, every state in the cache, and every state folded from history, is the market's own."""
    verdict = await check(MARKET, cycles=5)
    assert verdict.sound, verdict.differing + verdict.stored_differing
    assert verdict.failed_fetches == {}
    assert verdict.skipped == {}
    assert not any(verdict.missed.values())
    assert set(verdict.statuses) == {"completed"}
    assert verdict.compared > 300


async def test_a_fault_harms_nobody_else_and_removes_nothing() -> None:
    """With every fault in turn at one bookmaker: it is felt, what could be seen is right, the others lose nothing."""
    found = await table(24, seed=3, victim="bet9ja", share=0.3)
    assert [row.fault for row in found.rows] == list(FaultName)
    assert found.verdict.sound, found.verdict.differing + found.verdict.stored_differing
    for row in found.rows:
        assert row.sound, row
        assert row.felt, row
