"""The bench's result: one row a drill."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from tests.crash.oracle import Findings

_ORDER: Mapping[int | None, str] = MappingProxyType({None: "-", 0: "kept"})
_HEADINGS = ("promise", "drill", "trials", "faults injected", "lost", "doubled", "order", "verdict")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one drill showed; counts are in snapshots unless `trials` says otherwise.

    `faults` says what was injected, by kind. `notes` holds figures that have no column;
    `disordered` is None where the drill does not look at the order. A control runs a drill
    on something that is known not to keep the promise: it fails where nothing was lost or doubled.
    """

    promise: str
    drill: str
    trials: str
    faults: dict[str, int]
    lost: int = 0
    doubled: int = 0
    disordered: int | None = None
    broken: str = ""
    notes: str = ""
    control: bool = False

    @property
    def held(self) -> bool:
        """Tell whether the drill ended as it should."""
        kept = not (self.lost or self.doubled or self.disordered or self.broken)
        return kept is not self.control

    @property
    def verdict(self) -> str:
        """Return the verdict in words."""
        if self.control:
            return "control: loses, as it must" if self.held else "FAILED: the control lost nothing"
        return "held" if self.held else f"FAILED {self.broken}".strip()


def row_of(findings: Findings, *, promise: str, drill: str, faults: dict[str, int], control: bool = False) -> Row:
    """Return the row of a drill whose end the oracle has examined."""
    broken = ", ".join(f"{name}: {getattr(findings, name)}" for name in ("altered", "torn") if getattr(findings, name))
    return Row(
        promise=promise,
        drill=drill,
        trials=f"{findings.acked:,} acknowledged, {findings.stored:,} stored, {findings.dead:,} dead letters",
        faults=faults,
        lost=findings.lost,
        doubled=findings.doubled,
        disordered=findings.disordered,
        broken=broken,
        control=control,
    )


def rendered(rows: Iterable[Row]) -> str:
    """Return the table in Markdown, and under it the faults by kind and the further figures."""
    rows = list(rows)
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *map(_cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    details = "\n".join(f"- {row.promise}, {row.drill}: {_details(row)}" for row in rows)
    return f"{table}\n\n{details}"


def _cells(row: Row) -> Sequence[str]:
    return (
        row.promise,
        row.drill,
        row.trials,
        f"{sum(row.faults.values()):,}",
        f"{row.lost:,}",
        f"{row.doubled:,}",
        _ORDER.get(row.disordered, f"{row.disordered} broken"),
        row.verdict,
    )


def _details(row: Row) -> str:
    faults = ", ".join(f"{count:,} {kind}" for kind, count in sorted(row.faults.items(), key=lambda one: -one[1]))
    return "; ".join(filter(None, (faults, row.notes)))
