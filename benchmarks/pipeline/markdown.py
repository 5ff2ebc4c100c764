"""Tables in Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.pipeline.records import Spread


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def spread_cells(spread: Spread) -> tuple[str, ...]:
    """Return the cells of p50, p95, p99 and maximum."""
    return tuple(number(value) for value in (spread.p50, spread.p95, spread.p99, spread.max))


def number(value: float) -> str:
    """Return a figure with as many digits as it deserves."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - thousands get separators


def megabytes(value: float) -> str:
    """Return bytes as MB."""
    return f"{value / 1e6:,.2f} MB"
