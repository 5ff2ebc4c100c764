"""The figures of the house: how large its rooms are, how they hang together, and how they are written about.

    python -m tools.house_figures [--list] [--json] [--no-trace]

Figures are of src/ unless they say otherwise. How each is counted stands at the function that counts it.

- *Functions and files that a scrape passes* are traced on a real run; `tools.house_trace` says how.
- *Record types between bytes and page* are the classes of our own (msgspec Struct, named tuple, dataclass, pydantic
  model) of which an object that was made meanwhile went into or came out of one of our functions, alone, in a container
  or as a field of another record, from the request to scrape one event to the answer of the first page of events and of
  that event. Those of bookmakers' folders, which describe other people's formats, are counted beside.
"""

import argparse
import ast
import io
import json
import math
import re
import statistics
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tools.house_trace import Trace, traced_scrape
from tools.importers import (
    Source,
    importers,
    imports,
    in_bookmaker_folder,
    package_sources,
    sole_importers,
    stands_apart,
)

ROOT = Path(__file__).resolve().parents[1]
MAX_DATA_BYTES = 20_000
PROGRAMS = ("src/", "benchmarks/", "scripts/", "tools/")
ASIDE = ("tools/house_figures.py", "tools/house_trace.py")

# Lists and pages of events, their CSV, and their JSON, encoded ahead or not: where they stood in one folder with
# everything else of the API, and where they stand in rooms.
_EVENTS_FEATURE = re.compile(
    r"/api/(events/.*|events|event_\w+|fragments?|answers|encoding_metrics|spare_time)\.py$"
    r"|/gzip_pieces\.py$|/streaming/(market|event)_json\.py$"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_DIRECTIVE = re.compile(r"#\s*(noqa|type:|pragma|ruff:|fmt:|!)")
_RARE = MappingProxyType({"what": ("what",), "who": ("who", "whoever", "whom", "whose"), "told": ("told",)})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPLEX = re.compile(r"\((\d+) > 0\)$")
_TOP = 10

Files = Mapping[str, str]


class Figure(NamedTuple):
    """One line of the table; `listed` is what was counted, one by one."""

    name: str
    now: str
    aim: str = ""
    listed: Sequence[str] = ()


class Prose(NamedTuple):
    """Comments and docstrings of some files: how many words, and how often the words that are to be rare."""

    words: int
    rare: Mapping[str, int]

    def per_thousand(self, word: str) -> float:
        """Return how often a word is among a thousand."""
        return 1000 * self.rare[word] / max(1, self.words)


def code_lines(text: str) -> int:
    """Return the number of lines that hold code: no blank lines, comments or docstrings."""
    tree = ast.parse(text)
    prose = {line for node in docstrings(tree) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - prose)


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the docstrings of a module, its classes and functions, and of attributes."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if not isinstance(node, (ast.Lambda, ast.IfExp)) else ():
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value


def comments(text: str) -> Iterator[str]:
    """Yield the comments for people, at the end of a line or alone on it; a directive to a tool is none."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not _DIRECTIVE.match(token.string):
            yield token.string


def comment_lines(text: str) -> int:
    """Return the number of lines that hold a comment and nothing else."""
    return sum(1 for line in text.splitlines() if line.lstrip().startswith("#"))


def prose_of(texts: Iterable[str]) -> Prose:
    """Return the word counts of the comments and docstrings of some files."""
    words: Counter[str] = Counter()
    for text in texts:
        said = (str(node.value) for node in docstrings(ast.parse(text)))
        words.update(word.lower() for part in (*said, *comments(text)) for word in _WORD.findall(part))
    return Prose(words.total(), {name: sum(words[form] for form in forms) for name, forms in _RARE.items()})


def function_lengths(files: Files) -> list[tuple[int, str]]:
    """Return the lines of every function, from `def` to its end, inner ones as well, with its place; longest first."""
    found = [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{path}:{node.lineno} {node.name}")
        for path, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, _FUNCTIONS)
    ]
    return sorted(found, key=lambda one: (-one[0], one[1]))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a nearest rank of values in any order; 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0


def same_names(sources: Mapping[str, Source]) -> dict[str, list[str]]:
    """Return the names that two public classes have, with their modules; those of bookmakers' folders do not count."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, source in sources.items():
        if not in_bookmaker_folder(source, sources):
            for node in source.tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(name)
    return {name: modules for name, modules in sorted(found.items()) if len(modules) > 1}


def rooms(sources: Mapping[str, Source], package: str) -> tuple[list[str], list[str]]:
    """Return the entries of a package's first level, and the arrows between them: which of them imports which."""
    below = f"{package}."
    inside = {name: name.removeprefix(below).partition(".")[0] for name in sources if name.startswith(below)}
    arrows = {
        f"{room} -> {inside[target]}"
        for name, room in inside.items()
        for target in imports(sources[name], sources)
        if target in inside and inside[target] != room
    }
    return sorted(set(inside.values())), sorted(arrows)


def large_data(sizes: Mapping[str, int]) -> list[str]:
    """Return the files below docs/ of more than 20 kB, by path; pictures and the API's reference are excepted."""
    return [
        f"{path}: {size:,} bytes"
        for path, size in sorted(sizes.items())
        if path.startswith("docs/") and size > MAX_DATA_BYTES
        if not path.startswith("docs/screenshots/") and path != "docs/api.md"
    ]


def bodies(log: str) -> tuple[int, int]:
    """Return how many of the commits have a body, and how many there are; each message ends with a NUL."""
    messages = [message.strip() for message in log.split("\0") if message.strip()]
    return sum("\n" in message for message in messages), len(messages)


def complexities(root: Path, paths: Sequence[str]) -> list[int]:
    """Return the cyclomatic complexity of every function of some files, as ruff's rule C901 counts it."""
    options = ("--isolated", "--select", "C901", "--config", "lint.mccabe.max-complexity=0", "--ignore-noqa")
    command = (sys.executable, "-m", "ruff", "check", *options, "--output-format", "json", "--exit-zero", *paths)
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603 - fixed
    found = (_COMPLEX.search(finding["message"]) for finding in json.loads(output))
    return [int(match.group(1)) for match in found if match]


def _git(root: Path, *arguments: str) -> str:
    command = ("git", *arguments)
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603 - fixed


class House:
    """The tree as it stands: files that git tracks, or would."""

    def __init__(self, root: Path) -> None:
        paths = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        self.root = root
        self.sizes = {path: (root / path).stat().st_size for path in paths if path and (root / path).is_file()}
        python = (path for path in self.sizes if path.endswith(".py"))
        self.files = {path: (root / path).read_text(encoding="utf-8") for path in sorted(python)}
        self.sources = package_sources(self.files)
        self.src = self.below("src/")

    def below(self, *folders: str) -> Files:
        """Return the Python files below some folders."""
        return {path: text for path, text in self.files.items() if path.startswith(folders)}

    @property
    def package(self) -> str:
        """Return the name of the package below src/."""
        return min(self.sources, key=len)


def scrape_figures(house: House, trace: Trace) -> Iterator[Figure]:
    """Yield what a traced scrape passed."""
    theirs = [name for name in trace.records if _of_a_bookmaker(house, name)]
    ours = [name for name in trace.records if name not in theirs]
    yield Figure("functions that one scraped event passes", f"{len(trace.functions)}", "about 230", trace.functions)
    yield Figure("files that one scraped event passes", f"{len(trace.files)}", "about 40", trace.files)
    kinds = f"{len(ours)} (bookmakers' own: {len(theirs)})"
    yield Figure("record types between bytes and page", kinds, "under 30", ours)


def _of_a_bookmaker(house: House, record: str) -> bool:
    modules = (source for name, source in house.sources.items() if record.startswith(f"{name}."))
    return any(in_bookmaker_folder(source, house.sources) for source in modules)


def module_figures(house: House) -> Iterator[Figure]:
    """Yield how modules hang together."""
    sources, alone = house.sources, sole_importers(house.sources)
    counted = [name for name in importers(sources) if not stands_apart(sources[name], sources)]
    share = 100 * len(alone) / max(1, len(counted))
    lines = [f"{sources[name].lines:4} {name} <- {importer}" for name, importer in alone.items()]
    yield Figure("modules with exactly one importer", f"{share:.0f} % ({len(alone)} of {len(counted)})", "20 %", lines)
    entries, arrows = rooms(sources, f"{house.package}.api")
    yield Figure("entries on the first level of api/", f"{len(entries)}", "at most 14", entries)
    yield Figure("arrows between them", f"{len(arrows)}", "under 30", arrows)
    events = {path: text.count("\n") for path, text in house.src.items() if _EVENTS_FEATURE.search(path)}
    listed = [f"{lines:4} {path}" for path, lines in events.items()]
    yield Figure("lines of the events feature", f"{sum(events.values()):,}", "about 650", listed)
    same = [f"{name}: {', '.join(modules)}" for name, modules in same_names(sources).items()]
    yield Figure("names of two public classes", f"{len(same)}", "0", same)


def size_figures(house: House) -> Iterator[Figure]:
    """Yield how much code there is, and in what pieces."""
    code = {path: code_lines(text) for path, text in house.below(*PROGRAMS).items()}
    own = sum(lines for path, lines in code.items() if path in house.src)
    lines = sum(text.count("\n") for text in house.src.values())
    total = sum(lines for path, lines in code.items() if path not in ASIDE)
    folders = [f"{folder} {sum(n for path, n in code.items() if path.startswith(folder)):,}" for folder in PROGRAMS]
    lengths = function_lengths(house.src)
    numbers = [lines for lines, _ in lengths]
    complex_ = complexities(house.root, ["src"])
    rate = f"{1000 * len(numbers) / max(1, own):.1f} ({1000 * len(numbers) / max(1, lines):.1f} per 1,000 of all lines)"
    yield Figure("functions per 1,000 code lines", rate, "15 % fewer")
    spread = f"{statistics.median(numbers):g} / {percentile(numbers, 95):g} / {numbers[0]}"
    longest = [f"{lines:4} {place}" for lines, place in lengths[:_TOP]]
    yield Figure("function lines: median / p95 / longest", spread, "under 10 / - / 50", longest)
    yield Figure("complexity (C901): p95 / highest", f"{percentile(complex_, 95):g} / {max(complex_)}", "not higher")
    yield Figure("code lines of programs, this one aside", f"{total:,}", "not more", folders)


def prose_figures(house: House) -> Iterator[Figure]:
    """Yield how the code is written about."""
    said = sum(map(comment_lines, house.src.values()))
    lines = sum(text.count("\n") for text in house.src.values())
    prose = prose_of(house.src.values())
    rates = " / ".join(f"{prose.per_thousand(word):.1f}" for word in prose.rare)
    yield Figure("comments, share of lines", f"{100 * said / max(1, lines):.1f} %", "1.5 %")
    yield Figure(f"{' / '.join(prose.rare)} per 1,000 words", rates, "1 / 0.5 / 0")
    large = large_data(house.sizes)
    yield Figure("files over 20 kB under docs/", f"{len(large)}", "0", large)
    told, of = bodies(_git(house.root, "log", "--format=%B%x00"))
    yield Figure("commits with a body", f"{told} of {of}", "all that decide")


_STATIC: Sequence[Callable[[House], Iterator[Figure]]] = (module_figures, size_figures, prose_figures)


def figures(house: House, trace: Trace | None) -> list[Figure]:
    """Return the whole table; without a trace without a trace what it would show is missing is missing."""
    traced = [] if trace is None else list(scrape_figures(house, trace))
    return traced + [figure for part in _STATIC for figure in part(house)]


def table(found: Sequence[Figure]) -> str:
    """Return the figures in columns."""
    widths = [max(len(row[column]) for row in found) for column in (0, 1)]
    return "".join(f"{name:{widths[0]}}  {now:{widths[1]}}  {aim}\n" for name, now, aim, _ in found)


def main() -> None:
    """Print the figures of the tree that this file stands in."""
    parser = argparse.ArgumentParser(description="The figures of the house: now, and the aim.")
    parser.add_argument("--list", action="store_true", help="print what was counted, one by one, below the table")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-trace", action="store_true", help="leave out what a run of the service shows (a minute)")
    arguments = parser.parse_args()
    found = figures(House(ROOT), None if arguments.no_trace else traced_scrape())
    if arguments.json:
        sys.stdout.write(json.dumps({figure.name: figure._asdict() for figure in found}, indent=1) + "\n")
        return
    sys.stdout.write(table(found))
    for figure in found if arguments.list else ():
        if figure.listed:
            sys.stdout.write(f"\n{figure.name}\n" + "".join(f"  {line}\n" for line in figure.listed))


if __name__ == "__main__":
    main()
