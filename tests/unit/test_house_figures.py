from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tools import house_trace
from tools.house_figures import (
    Figure,
    bodies,
    code_lines,
    comment_lines,
    comments,
    complexities,
    function_lengths,
    large_data,
    percentile,
    prose_of,
    rooms,
    same_names,
    table,
)
from tools.house_trace import Recorder, Trace
from tools.importers import package_sources

MODULE = '''"""What a module
says."""

import re  # noqa: F401 - directs a tool

# Who is told what.
X = """no
docstring"""  # told once


class Till:
    """Takes coins."""

    def add(self):
        """Add."""
        return [
            1,
        ]

    async def count(self):
        def inner():
            return 1

        return inner()
'''


def shop(files: Mapping[str, str]) -> dict[str, str]:
    """Return files of a made-up package, by their paths in it."""
    return {f"src/shop/{path}": text for path, text in files.items()}


def test_code_lines_are_those_that_do_something() -> None:
    """Blank lines, comments and docstrings are no code; every line of a string or a bracket is."""
    assert code_lines(MODULE) == 1 + 2 + 1 + 1 + 3 + 1 + 2 + 1
    assert code_lines('"""Only a docstring."""\n\n# and a comment\n') == 0


def test_directives_to_tools_are_no_comments() -> None:
    """Comments for people count as prose, alone on a line or after code; only the former as comment lines."""
    assert list(comments(MODULE)) == ["# Who is told what.", "# told once"]
    assert comment_lines(MODULE) == 1


def test_prose_is_comments_and_docstrings() -> None:
    """Rare words are counted in whatever form, in comments and docstrings; strings of the code are no prose."""
    prose = prose_of([MODULE, '"""Whose coins?"""\nX = "what who told"\n'])
    assert prose.words == 4 + 4 + 2 + 2 + 1 + 2
    assert prose.rare == {"what": 2, "who": 2, "told": 2}
    assert prose.per_thousand("what") == pytest.approx(1000 * 2 / 15)


def test_functions_are_measured_from_def_to_end() -> None:
    """Methods and inner functions count as well, longest first, with their places."""
    assert function_lengths({"a.py": MODULE}) == [
        (5, "a.py:14 add"),
        (5, "a.py:20 count"),
        (2, "a.py:21 inner"),
    ]


@pytest.mark.parametrize(("percent", "rank"), [(50, 2), (95, 4), (100, 4), (1, 1)])
def test_percentiles_are_nearest_ranks(percent: float, rank: int) -> None:
    """A percentile is one of the values."""
    assert percentile([4, 2, 1, 3], percent) == rank


def test_percentile_of_nothing_is_nought() -> None:
    """An empty tree has figures too."""
    assert percentile([], 95) == 0


def test_public_classes_of_one_name_are_found() -> None:
    """Two public classes of one name are told with their modules; private and inner ones, and bookmakers', are not."""
    files = shop(
        {
            "a.py": "class Piece: ...\nclass _Hidden: ...\nclass Outer:\n    class Inner: ...",
            "b.py": "class Piece: ...\nclass _Hidden: ...\nclass Inner: ...",
            "toy/__init__.py": "BOOKMAKER = 1\nclass Outer: ...",
            "toy/wire.py": "class Piece: ...",
        }
    )
    assert same_names(package_sources(files)) == {"Piece": ["shop.a", "shop.b"]}


def test_rooms_are_first_level_entries_and_arrows_join_two_of_them() -> None:
    """Files and packages of the first level are rooms; many imports from one into another are one arrow."""
    files = shop(
        {
            "api/__init__.py": "",
            "api/app.py": "from shop.api.events import routes\nimport shop.api.events.query\nimport shop.records",
            "api/events/__init__.py": "",
            "api/events/routes.py": "from shop.api.events.query import Q",
            "api/events/query.py": "from shop.api.state import State",
            "api/state.py": "",
            "records.py": "import shop.api.app",
        }
    )
    assert rooms(package_sources(files), "shop.api") == (
        ["app", "events", "state"],
        ["app -> events", "events -> state"],
    )


def test_large_files_below_docs_are_data_that_should_not_be_there() -> None:
    """More than 20 kB below docs/ are reported, but for pictures and the reference of the API."""
    sizes = {
        "docs/a.json": 20_001,
        "docs/b.json": 20_000,
        "docs/screenshots/c.png": 99_999,
        "docs/api.md": 99_999,
        "src/d.json": 99_999,
    }
    assert large_data(sizes) == ["docs/a.json: 20,001 bytes"]


def test_commits_with_a_body_have_a_second_line() -> None:
    """A subject alone is no body, nor are the line ends after it."""
    assert bodies("One\n\0\nTwo\n\nbecause\n\0\nThree\n\n\0") == (1, 3)


def test_complexity_is_that_of_every_function(tmp_path: Path) -> None:
    """A function without branches has complexity 1, and each branch adds one; suppressed findings count as well."""
    tmp_path.joinpath("a.py").write_text(
        "def f(x):\n    return x\n\n\ndef g(x):  # noqa: C901\n    if x:\n        return 1\n    return 2 if x else 3\n"
    )
    assert sorted(complexities(tmp_path, ["a.py"])) == [1, 2]


def test_table_is_in_columns() -> None:
    """Names, figures and aims stand below each other."""
    assert (
        table([Figure("long name", "1", "0"), Figure("x", "12 %", "9 %")])
        == "long name  1     0\nx          12 %  9 %\n"
    )


class Price(msgspec.Struct, gc=False):
    """A record."""

    thousandths: int


class Cell(NamedTuple):
    """A record that holds another."""

    price: Price


class Clerk:
    """No record."""

    def look(self, prices: list[Price]) -> int:
        """Take a list of records."""
        return len([price for price in prices if price.thousandths])

    def cell(self) -> Cell:
        """Make a record."""
        return Cell(Price(1))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Return a recorder that takes this file for the whole package."""
    monkeypatch.setattr(house_trace, "PACKAGE", __name__.partition(".")[0])
    return Recorder(Path(__file__).parent)


def traced(recorder: Recorder, clerk: Clerk, *, older: list[Price]) -> Trace:
    """Record what the clerk does with old and new records."""
    import sys  # noqa: PLC0415 - beside its use

    outer = sys.getprofile()
    sys.setprofile(recorder.hook)
    try:
        clerk.cell()
        recorder.start(older)
        clerk.look(older)
        clerk.cell()
        return recorder.stop()
    finally:
        sys.setprofile(outer)


def test_recorder_notes_functions_files_and_new_records(recorder: Recorder) -> None:
    """Called functions are noted but no comprehensions, and records that are made meanwhile, inside others as well."""
    file = Path(__file__).name
    found = traced(recorder, Clerk(), older=[])
    assert (found.functions, found.files) == ((f"{file}:Clerk.cell", f"{file}:Clerk.look"), (file,))
    assert found.records == (f"{__name__}.Cell", f"{__name__}.Price")


def test_recorder_leaves_out_records_that_were_there(recorder: Recorder) -> None:
    """A record that existed before is handed on without counting."""
    price = Price(2)
    recorder.start([price])
    recorder._note([[price]])
    assert recorder.stop().records == ()
    recorder.start()
    recorder._note([[price]])
    assert recorder.stop().records == (f"{__name__}.Price",)


def test_traces_are_added_and_subtracted() -> None:
    """What an idle service calls is taken from what a busy one calls; two windows make one."""
    one, other = Trace(("a.py:f", "b.py:g"), ("A",)), Trace(("b.py:g", "c.py:h"), ("B",))
    assert one.and_also(other) == Trace(("a.py:f", "b.py:g", "c.py:h"), ("A", "B"))
    assert one.without(other) == Trace(("a.py:f",), ("A",))
    assert one.and_also(other).files == ("a.py", "b.py", "c.py")
