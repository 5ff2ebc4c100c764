"""The report of a benchmark, in Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.pipeline import sections
from benchmarks.pipeline.budgets import Budget
from benchmarks.pipeline.markdown import table
from benchmarks.pipeline.plots import bar_plot
from benchmarks.pipeline.records import total_counts
from benchmarks.pipeline.results import Results


def independence_plot(results: Results, name: str, directory: Path) -> str:
    """Write the plot of storing under a slow and a stopped database; return its name, empty without figures."""
    if not results.independence:
        return ""
    groups = [
        (
            row.name.removeprefix("commits "),
            {
                "write queue": row.asynchronous.p50,
                "synchronous": row.synchronous.p50 if row.synchronous.count else None,
            },
        )
        for row in results.independence
    ]
    title = "store_batch_results, median of whole batches"
    plot = bar_plot(title, "milliseconds, while commits are slowed or the database is stopped", groups, "not stored")
    (directory / name).write_text(plot, encoding="utf-8")
    return name


def report(results: Results, budgets: Sequence[Budget], plot: str) -> str:
    """Return the whole report; `plot` is the file of its plot."""
    blocks = [
        _head(results),
        _budgets(budgets),
        *sections.phase_tables(results),
        sections.independence(results),
        f"![store_batch_results under a slow and a stopped database]({plot})" if plot else "",
        _integrity(results),
        *_measurements(results),
        sections.limits(results),
        sections.growth(results),
        _machine(results),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _measurements(results: Results) -> Iterator[str]:
    yield sections.discovery(results)
    yield sections.scraping(results)
    yield sections.storage(results)
    yield sections.queue(results)
    yield sections.changes(results)
    yield sections.volumes(results)
    yield sections.api(results)
    yield sections.loop(results)
    yield sections.memory(results)
    yield sections.processors(results)


def _head(results: Results) -> str:
    extent = results.run.extent
    counts = ", ".join(
        f"{value:,} {name.replace('_', ' ')}" for name, value in total_counts(results.run.cycles).items()
    )
    return (
        f"# Benchmark of {results.at:%Y-%m-%d}\n\n"
        f"{extent.events:,} simulated events, bodies of size `{extent.size.value}`, seed {extent.seed}, latencies"
        f" `{extent.latency.value}`; one cold cycle and {extent.cycles} warm ones, each a tick of five minutes further,"
        f" in batches of {extent.batch_size} events. Over all cycles: {counts}. Simulator, PostgreSQL and service are"
        " processes of their own on one machine. Prices are made up; sizes and rates of change are those observed at"
        " real bookmakers."
    )


def _budgets(budgets: Sequence[Budget]) -> str:
    rows = (
        (
            budget.name,
            f"{'<=' if budget.at_most else '>='} {budget.budget:,g} {budget.unit}",
            "not measured in this run" if budget.measured is None else f"{budget.measured:,.4g} {budget.unit}",
            {None: "-", True: "yes", False: "**no**"}[budget.met],
        )
        for budget in budgets
    )
    return "## Budgets\n\n" + table(("what", "budget", "measured", "met"), rows)


def _integrity(results: Results) -> str:
    parts = (
        ("asynchronous", results.run.checks),
        ("synchronous", results.baseline.checks if results.baseline is not None else ()),
        ("observed", results.observed.checks if results.observed is not None else ()),
        ("faults on", results.faulty),
    )
    rows: Iterable[Sequence[object]] = [
        (name, check.name, f"{check.looked_at:,}", check.wrong) for name, checks in parts for check in checks
    ]
    return "## Integrity\n\n" + table(("run", "statement", "looked at", "wrong"), rows)


def _machine(results: Results) -> str:
    machine = results.machine
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    loads = ", ".join(f"{part} {load:g}" for part, load in results.loads.items())
    return (
        f"## Machine\n\n{machine.processor}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system};"
        f" Python {machine.python}; {packages}. Revision `{machine.commit}`. Load averages before the parts: {loads}."
    )
