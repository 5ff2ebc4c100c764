"""docs/promises.md names tests that exist, for every promise."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promises.md"
PROMISES = (*range(1, 26), 27, 28, 29)


def test_every_promise_names_its_tests() -> None:
    """There is a row for each promise, and what it names is there."""
    rows = re.findall(r"^\| (P\d+) \| .* \| (.*) \|$", PAGE.read_text("utf-8").partition("\n## ")[0], re.MULTILINE)
    assert [number for number, _ in rows] == [f"P{number}" for number in PROMISES]
    for _, held_by in rows:
        assert "tests" in held_by


def test_the_tests_that_are_named_exist() -> None:
    """A test that was renamed is renamed in the page too."""
    for file, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", PAGE.read_text("utf-8")):
        source = (ROOT / file).read_text("utf-8")
        assert re.search(rf"\b{name}\b", source), f"{file}::{name}"
