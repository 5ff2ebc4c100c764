"""Do cache and history stay right where the bookmakers do not? Ten cycles with faults, each compared with the model."""

from benchmarks.pipeline.records import Check, Extent
from overround.cli.market import MarketRequest
from overround.simulator.server.faults import Fault, FaultName
from tools.oracle_check import check

CYCLES = 10
_EVENTS = 60
_FAULTS = (
    Fault(name=FaultName.SERVER_ERRORS, bookmakers=("betpawa",), share=0.1),
    Fault(name=FaultName.TRUNCATED_JSON, bookmakers=("sportybet",), share=0.1),
    Fault(name=FaultName.WRONG_SCHEMA, bookmakers=("bet9ja",), share=0.1),
    Fault(name=FaultName.HTML, bookmakers=("bet9ja",), share=0.05),
    Fault(name=FaultName.GONE, bookmakers=("betpawa",), share=0.05),
    Fault(name=FaultName.DUPLICATE_LISTINGS, bookmakers=("sportybet",)),
    Fault(name=FaultName.FAILING_LEAGUE, bookmakers=("bet9ja",)),
)


async def under_faults(extent: Extent) -> tuple[Check, ...]:
    """Run the cycles; the faults are on in all of them but the first and the last."""
    request = MarketRequest(events=min(extent.events, _EVENTS), seed=extent.seed)
    verdict = await check(request, CYCLES, _FAULTS)
    struck = sum(verdict.failed_fetches.values())
    return (
        Check(
            name=f"cache after each of {CYCLES} cycles = the simulator's own model, {struck} fetches struck by faults",
            looked_at=verdict.compared if struck else 0,
            wrong=len(verdict.differing),
            examples=tuple(verdict.differing[:5]),
        ),
        Check(
            name=f"every stored state of these {CYCLES} cycles = the simulator's own model",
            looked_at=verdict.stored_compared,
            wrong=len(verdict.stored_differing),
            examples=tuple(verdict.stored_differing[:5]),
        ),
    )
