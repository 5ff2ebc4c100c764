import msgspec
import pytest

from tools.demo_smoke import objections

CYCLE = {"events": 3, "snapshots": 8, "changed": 0, "unchanged": 8, "failed": 0, "duration_ms": 12.5}
GOOD = {
    "cycles": [{**CYCLE, "changed": 8, "unchanged": 0}, CYCLE],
    "queue": {"pending": 0, "written": 2, "retried": 0, "dead_lettered": 0},
    "database": {"events": 3, "odds_snapshots": 8, "market_odds": 90},
    "integrity": {"lost": 0, "extra": 0, "doubled": 0},
}


def test_accepts_a_clean_report() -> None:
    """A second cycle that found everything unchanged, and a database equal to the cache, raise no objection."""
    assert list(objections(msgspec.json.encode(GOOD))) == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("cycles", [CYCLE]),
        ("cycles", [CYCLE, {**CYCLE, "changed": 1, "unchanged": 7}]),
        ("cycles", [CYCLE, {**CYCLE, "unchanged": 7}]),
        ("cycles", [{**CYCLE, "failed": 1}, CYCLE]),
        ("cycles", [{**CYCLE, "events": 0}, CYCLE]),
        ("queue", {"pending": 1, "dead_lettered": 0}),
        ("queue", {"pending": 0, "dead_lettered": 1}),
        ("integrity", {"lost": 0, "extra": 1, "doubled": 0}),
        ("integrity", {}),
        ("database", {"events": 3, "odds_snapshots": 0, "market_odds": 0}),
    ],
)
def test_objects_to_anything_else(part: str, value: object) -> None:
    """Whatever is new, failed, left over, lost or missing is named."""
    assert list(objections(msgspec.json.encode({**GOOD, part: value})))


def test_refuses_what_is_no_report() -> None:
    """Output that is not the report, such as none at all, is an error."""
    with pytest.raises(msgspec.DecodeError):
        list(objections(b""))
