"""Strikes one simulated bookmaker with every fault in turn, and prints what each did to it and to the others.

`python -m tools.fault_table --events 1300 [--bookmaker SLUG] [--attempts 1]`: exit code 1 if a state differs from
the market model's, if another bookmaker lost anything, or if one fault was not felt.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta

import msgspec

from overround.cli.market import MarketRequest
from overround.logs import configure_logs
from overround.records.batch import ScrapeRun
from overround.simulator.server.faults import Fault, FaultName
from tools.oracle_check import Check, Verdict, scraped_market

_MOST_CYCLES_TO_RECOVER = 8
_HEADINGS = (
    "fault",
    "what was felt",
    "not fetched",
    "others: errors",
    "others: not fetched",
    "states compared",
    "differing",
    "cycles to recover",
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault did: to the bookmaker that it struck, and to the others together.

    `felt` counts errors by class, listings that are not as they should be or are missing, prices that could not be
    read, bodies that were lost, and whether the run was partial.
    """

    fault: str
    felt: dict[str, int]
    lost: int
    others_errors: int
    others_lost: int
    compared: int
    differing: int
    recovered_after: int | None

    @property
    def sound(self) -> bool:
        """Tell whether nothing differed, the others lost nothing, and the bookmaker came back."""
        harmless = not (self.others_errors or self.others_lost or self.differing)
        return harmless and self.recovered_after is not None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A row for each fault, and what the whole run and its stored history came to."""

    rows: tuple[Row, ...]
    verdict: Verdict

    @property
    def sound(self) -> bool:
        """Tell whether every fault was felt and did no harm, history included."""
        return self.verdict.sound and all(row.sound and row.felt for row in self.rows)


Errors = Mapping[str, Mapping[str, int]]


async def strikes(check: Check, errors: Callable[[], Errors], victim: str, share: float | None) -> AsyncIterator[Row]:
    """Strike with one fault after the other, each for one cycle, and go on without until all is well."""
    await check.cycle(())
    for name in FaultName:
        before, compared, differing = errors(), check.verdict.compared, len(check.verdict.differing)
        lost, unseen, listed = _lost(check.verdict), check.unseen(victim), check.listed(victim)
        run = await check.cycle([Fault(name=name, bookmakers=(victim,), share=_share(name, share))])
        told, gone = _more(errors(), before), _lost(check.verdict) - lost
        odd = Counter(listings=check.odd_listings(victim), unread=check.unseen(victim) - unseen)
        odd.update(partial=int(run.status == "partial"), lost=gone[victim], unlisted=listed - check.listed(victim))
        recovered_after = await _recovered(check)
        yield Row(
            fault=name.value,
            felt=dict(told.pop(victim, Counter()) + odd),
            lost=gone.pop(victim, 0),
            others_errors=sum(sum(counts.values()) for counts in told.values()),
            others_lost=sum(gone.values()),
            compared=check.verdict.compared - compared,
            differing=len(check.verdict.differing) - differing,
            recovered_after=recovered_after,
        )


def _share(name: FaultName, share: float | None) -> float | None:
    return None if name is FaultName.GONE else share


def _lost(verdict: Verdict) -> Counter[str]:
    return Counter(verdict.failed_fetches) + Counter(verdict.missed)


def _more(after: Errors, before: Errors) -> dict[str, Counter[str]]:
    return {slug: Counter(counts) - Counter(before.get(slug, {})) for slug, counts in after.items()}


async def _recovered(check: Check) -> int | None:
    """Return after how many cycles one is complete; None if none is."""
    for number in range(1, _MOST_CYCLES_TO_RECOVER + 1):
        run: ScrapeRun = await check.cycle(())
        if run.status == "completed":
            return number
    return None


async def table(
    events: int,
    seed: int,
    victim: str,
    *,
    attempts: int = 1,
    share: float | None = None,
    tell: Callable[[Row], None] = lambda _: None,
) -> Table:
    """Run a market with every fault in turn at one of its bookmakers, and `tell` each row when it is there.

    `share` is struck, where not each fault's own.
    """
    request = MarketRequest(events=events, seed=seed)
    retries = {"max_attempts": attempts, "retry_cap": timedelta(seconds=0.5)}
    async with scraped_market(request, (victim,), **retries) as (market, service):
        check = Check(service, market)

        def errors() -> Errors:
            fetchers = service.fetchers
            return {slug: fetcher.statistics.figures().errors for slug, fetcher in fetchers.items()}

        rows: list[Row] = []
        async for row in strikes(check, errors, victim, share):
            rows.append(row)
            tell(row)
        await check.stored()
        return Table(rows=tuple(rows), verdict=check.verdict)


def _print_row(row: Row) -> None:
    felt = ", ".join(f"{name} {count:,}" for name, count in sorted(row.felt.items())) or "nothing"
    _print(
        f"`{row.fault}`",
        felt,
        f"{row.lost:,}",
        str(row.others_errors),
        str(row.others_lost),
        f"{row.compared:,}",
        str(row.differing),
        "never" if row.recovered_after is None else str(row.recovered_after),
    )


def _print(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _summary(verdict: Verdict) -> Iterator[str]:
    yield f"Stored history: {verdict.stored_compared:,} states compared, {len(verdict.stored_differing)} differing."
    yield from (f"Not compared: {count:,} {reason}." for reason, count in sorted(verdict.skipped.items()))
    yield from (verdict.differing + verdict.stored_differing)[:10]


def main() -> int:
    """Print the table; return 1 if a fault did harm, or was not felt."""
    parser = argparse.ArgumentParser(description="Strike one simulated bookmaker with every fault in turn.")
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bookmaker", default="bet9ja")
    parser.add_argument("--attempts", type=int, default=1, help="how often a request is made; more heal most faults")
    arguments = parser.parse_args()
    configure_logs("error")
    _print(*_HEADINGS)
    _print(*("---" for _ in _HEADINGS))
    found = asyncio.run(
        table(arguments.events, arguments.seed, arguments.bookmaker, attempts=arguments.attempts, tell=_print_row)
    )
    sys.stdout.write("\n" + "\n".join(_summary(found.verdict)) + "\n")
    return 0 if found.sound else 1


if __name__ == "__main__":
    sys.exit(main())
