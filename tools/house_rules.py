"""The house rules that no off-the-shelf linter holds; one finding a line: `path:line rule message`."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tools.house_exceptions import LATE_IMPORTS, SUPERVISION_POINTS, TEST_EXCEPTIONS
from tools.importers import Source, package_sources, sole_importers

MAX_FILE_LINES = 600
MIN_SHARED_LINES = 60
MAX_FUNCTION_LINES = 50
MAX_NESTING = 4

# Tables written as Python, whose length is that of what they list.
DATA_FILES = re.compile(r"bookmakers/\w+/markets\.py$|migrations/versions/")

SLUGS = frozenset({"betpawa", "sportybet", "bet9ja"})

_CLOCK_CALLS = frozenset(
    {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
)
_CLOCK_OWNERS = frozenset({"datetime", "date", "time"})
_MUTABLE_CALLS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
_READ_ONLY = re.compile(r"\b(Final|Mapping|Sequence|Set|AbstractSet|Collection|Iterable)\b")
_SQL = re.compile(
    r"\s*(select\s.+\sfrom\s|select\s+(count|max|min|pg_\w+|set_config)\s*\(|insert\s+into\s|update\s+\S+\s+set\s"
    r"|delete\s+from\s|with\s+\w+\s*(\([^)]*\))?\s+as\s|copy\s+\S+.*\s(from|to)\s|truncate\s+\w+"
    r"|(create|alter|drop)\s+(or\s+replace\s+|temp(orary)?\s+|unlogged\s+|unique\s+)*"
    r"(table|index|view|schema|database|sequence|type|role|extension)\s)",
    re.IGNORECASE | re.DOTALL,
)
_MISCONDUCT = re.compile(r"(time|asyncio|anyio)\.sleep|pytest\.(mark\.)?(skip|skipif|xfail|importorskip)")
_REASON = re.compile(r"^\s*Apart because \S", re.MULTILINE)
_PRICE_WORDS = frozenset({"price", "prices", "line", "lines"})
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Put together, so that this file does not find itself.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    )
)
MACHINE_FOLDERS = tuple("/".join(parts) for parts in (("work", ""), ("opt", "pypi"), ("opt", "wheels")))
_MACHINE_PATH = re.compile(rf"(?<![\w.])/({'|'.join(MACHINE_FOLDERS)})")


class Finding(NamedTuple):
    """One breach of one rule."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.path}:{self.line} {self.rule} {self.message}"


class Module(NamedTuple):
    """A Python file: `path` is relative to the repository, `nodes` are all its nodes with their scopes."""

    path: str
    text: str
    tree: ast.Module
    nodes: tuple[tuple[ast.AST, tuple[ast.AST, ...]], ...]

    def package_path(self) -> str:
        """Return the path below src/overround or tests."""
        return re.sub(r"^(src/overround|tests)/", "", self.path)

    def within(self, *folders: str) -> bool:
        """Tell whether the file is in one of these folders (or is one of these files) of the package."""
        return self.package_path().startswith(folders)

    def place(self, scopes: tuple[ast.AST, ...]) -> str:
        """Return how the allow-lists name a place in this file."""
        return f"{self.package_path()}:{_qualified(scopes)}"


Place = tuple[int, str]
Rule = Callable[[Module], Iterator[Place]]


def parse(path: str, text: str) -> Module:
    """Parse a file; `path` is relative to the repository."""
    tree = ast.parse(text)
    return Module(path, text, tree, tuple(_scoped(tree, ())))


def _scoped(node: ast.AST, scopes: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    for child in ast.iter_child_nodes(node):
        yield child, scopes
        inner = (*scopes, child) if isinstance(child, (*_FUNCTIONS, ast.ClassDef)) else scopes
        yield from _scoped(child, inner)


def _qualified(scopes: tuple[ast.AST, ...]) -> str:
    return ".".join(scope.name for scope in scopes if isinstance(scope, (*_FUNCTIONS, ast.ClassDef)))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def file_length(module: Module) -> Iterator[Place]:
    """Hold files to a length that is read in one sitting."""
    lines = module.text.count("\n")
    if lines > MAX_FILE_LINES and not DATA_FILES.search(module.path):
        yield MAX_FILE_LINES, f"{lines} lines, at most {MAX_FILE_LINES}"


def function_length(module: Module) -> Iterator[Place]:
    """Hold functions to one screen."""
    for node, _ in module.nodes:
        if isinstance(node, _FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}"


def nesting(module: Module) -> Iterator[Place]:
    """Hold blocks to a depth that can be kept in mind; `elif` is as deep as its `if`."""
    for node, _ in module.nodes:
        if isinstance(node, _FUNCTIONS):
            yield from _too_deep(node, 0)


def _too_deep(node: ast.AST, depth: int) -> Iterator[Place]:
    chained = node.orelse if isinstance(node, ast.If) and len(node.orelse) == 1 else []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            continue
        opens = isinstance(child, _BLOCKS) and not (child in chained and isinstance(child, ast.If))
        if depth + opens > MAX_NESTING:
            yield getattr(child, "lineno", 0), f"nested {depth + opens} deep, at most {MAX_NESTING}"
        else:
            yield from _too_deep(child, depth + opens)


def clock(module: Module) -> Iterator[Place]:
    """Read the time in clock.py alone: everything else is handed a Clock."""
    if module.within("clock.py"):
        return
    for node, _ in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            for name in node.names:
                if name.name in _CLOCK_CALLS:
                    yield node.lineno, f"time.{name.name} outside clock.py"
        elif isinstance(node, ast.Attribute) and _reads_clock(node):
            yield node.lineno, f"{_dotted(node)} outside clock.py"


def _reads_clock(node: ast.Attribute) -> bool:
    return node.attr in _CLOCK_CALLS and _dotted(node.value).rpartition(".")[2] in _CLOCK_OWNERS


def sql(module: Module) -> Iterator[Place]:
    """Keep SQL text in db/ and storage/."""
    if module.within("db/", "storage/"):
        return
    docstrings = {id(node.value) for node, _ in module.nodes if isinstance(node, ast.Expr)}
    for node, _ in module.nodes:
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
        if isinstance(text, str) and _SQL.match(text):
            yield getattr(node, "lineno", 0), "SQL text outside db/ and storage/"


def broad_except(module: Module) -> Iterator[Place]:
    """Catch everything only at named supervision points, or to raise it again."""
    for node, scopes in module.nodes:
        if _swallows(node) and module.place(scopes) not in SUPERVISION_POINTS:
            yield getattr(node, "lineno", 0), f"catches everything in {_qualified(scopes) or 'the module'}"


def unused_supervision_points(modules: Iterable[Module], points: Iterable[str]) -> Iterator[Finding]:
    """Yield the supervision points that no longer catch everything: the list is to stay short."""
    used = {module.place(scopes) for module in modules for node, scopes in module.nodes if _swallows(node)}
    for point in sorted(set(points) - used):
        yield Finding("tools/house_exceptions.py", 1, "broad-except", f"{point} is listed, and catches nothing")


def _swallows(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        raises = isinstance(last, ast.Raise) and last.exc is None
        return not raises and (node.type is None or _names_everything(node.type))
    suppresses = isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] == "suppress"
    return suppresses and isinstance(node, ast.Call) and any(map(_names_everything, node.args))


def _names_everything(node: ast.AST) -> bool:
    options = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(_dotted(option) in {"Exception", "BaseException"} for option in options)


def float_price(module: Module) -> Iterator[Place]:
    """Prices are integers in thousandths and lines are decimals: neither is ever a float."""
    for node, _ in module.nodes:
        for name, value, annotation in _named_values(node):
            if _PRICE_WORDS & set(name.lower().split("_")) and (_is_float(value) or _dotted_float(annotation)):
                yield getattr(node, "lineno", 0), f"{name} is a float"


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.AST | None, ast.AST | None]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield _dotted(target).rpartition(".")[2], value, None
        case ast.AnnAssign(target=target, value=value, annotation=annotation):
            yield _dotted(target).rpartition(".")[2], value, annotation
        case ast.NamedExpr(target=target, value=value):
            yield target.id, value, None
        case ast.arg(arg=name, annotation=annotation):
            yield name, None, annotation
        case ast.keyword(arg=str(name), value=value):
            yield name, value, None


def _is_float(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call):
        return _dotted(value.func) == "float"
    return isinstance(value, ast.Constant) and isinstance(value.value, float)


def _dotted_float(annotation: ast.AST | None) -> bool:
    return annotation is not None and any(_dotted(part) == "float" for part in ast.walk(annotation))


def module_state(module: Module) -> Iterator[Place]:
    """Keep no mutable state in modules: constants are tuples, frozensets, or read-only by annotation."""
    for node in module.tree.body:
        annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        for name, value, _ in _named_values(node):
            read_only = name.lstrip("_").isupper() and _READ_ONLY.search(annotation)
            if name != "__all__" and _is_mutable(value) and not read_only:
                yield node.lineno, f"{name} is mutable state of the module"


def _is_mutable(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call):
        return _dotted(value.func).rpartition(".")[2] in _MUTABLE_CALLS
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def local_import(module: Module) -> Iterator[Place]:
    """Import at the top, but for named exceptions; the command groups import lazily, so that `--help` is quick."""
    if module.within("cli/"):
        return
    for node, scopes in module.nodes:
        in_function = any(isinstance(scope, _FUNCTIONS) for scope in scopes)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and in_function and module.place(scopes) not in LATE_IMPORTS:
            yield node.lineno, f"import inside {_qualified(scopes)}"


def bookmaker_name(module: Module) -> Iterator[Place]:
    """Know no bookmaker by name outside bookmakers/, but for the default reference in the settings."""
    if module.within("bookmakers/", "settings.py"):
        return
    for node, _ in module.nodes:
        if isinstance(node, ast.Constant) and node.value in SLUGS:
            yield node.lineno, f"names the bookmaker {node.value!r} outside bookmakers/"
        elif isinstance(node, ast.Compare) and _compares_bookmaker(node):
            yield node.lineno, "compares a bookmaker with a literal"


def _compares_bookmaker(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    names = {_dotted(side).rpartition(".")[2] for side in sides}
    literal = any(isinstance(side, ast.Constant) and side.value and isinstance(side.value, str) for side in sides)
    return literal and bool(names & {"bookmaker", "slug"})


def docstring_in_test(module: Module) -> Iterator[Place]:
    """Let every test say which behaviour it holds."""
    for node, _ in module.nodes:
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test_") and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} does not say what behaviour it tests"


def conduct_of_test(module: Module) -> Iterator[Place]:
    """Let tests wait for what they need and run everywhere: no sleep, skip or xfail without a reason.

    `asyncio.sleep(0)` lets other tasks run, and is no sleep.
    """
    yielding = {id(node.func) for node, _ in module.nodes if isinstance(node, ast.Call) and _is_zero(node.args)}
    for node, scopes in module.nodes:
        if id(node) not in yielding and module.place(scopes) not in TEST_EXCEPTIONS:
            for name in _qualified_names(node):
                if _MISCONDUCT.fullmatch(name):
                    yield getattr(node, "lineno", 0), f"{name} in a test"


def _is_zero(arguments: list[ast.expr]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], ast.Constant) and arguments[0].value == 0


def _qualified_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{name.name}" for name in node.names]
    return [_dotted(node)] if isinstance(node, ast.Attribute) else []


EVERYWHERE: Mapping[str, Rule] = MappingProxyType(
    {"file-length": file_length, "function-length": function_length, "nesting": nesting}
)
IN_PACKAGE: Mapping[str, Rule] = MappingProxyType(
    {
        "clock": clock,
        "sql": sql,
        "broad-except": broad_except,
        "float-price": float_price,
        "module-state": module_state,
        "local-import": local_import,
        "bookmaker-name": bookmaker_name,
    }
)
IN_TESTS: Mapping[str, Rule] = MappingProxyType({"test-docstring": docstring_in_test, "test-conduct": conduct_of_test})


def check_python(path: str, text: str) -> Iterator[Finding]:
    """Yield what a Python file breaks; `path`, relative to the repository, decides which rules it is under."""
    module = parse(path, text)
    rules = dict(EVERYWHERE)
    if path.startswith("src/"):
        rules.update(IN_PACKAGE)
    if path.startswith("tests/"):
        rules.update(IN_TESTS)
    for name, rule in rules.items():
        for line, message in rule(module):
            yield Finding(path, line, name, message)


def shavings(files: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the small modules with one importer whose docstring has no line `Apart because` with the reason."""
    sources = package_sources(files)
    for name, importer in sole_importers(sources).items():
        source = sources[name]
        if source.lines < MIN_SHARED_LINES and not _says_why_apart(source):
            message = f"{source.lines} lines for {importer} alone: merge, or say `Apart because ...` in the docstring"
            yield Finding(source.path, 1, "shaving", message)


def _says_why_apart(source: Source) -> bool:
    return bool(_REASON.search(ast.get_docstring(source.tree) or ""))


def check_text(path: str, text: str) -> Iterator[Finding]:
    """Yield the lines of any file that name a package registry's host or a path of somebody's machine."""
    for number, line in enumerate(text.splitlines(), 1):
        for host in REGISTRY_HOSTS:
            if host in line:
                yield Finding(path, number, "registry-host", f"names {host}")
        if found := _MACHINE_PATH.search(line):
            yield Finding(path, number, "machine-path", f"names {found.group()}")


def tracked_files(root: Path) -> Mapping[str, str]:
    """Return the text of every file that git tracks or would track, by path."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603 - fixed
    paths = sorted(path for path in listing.split("\0") if path and (root / path).is_file())
    return {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in paths}


def check_repository(root: Path) -> Iterator[Finding]:
    """Yield the findings of all files."""
    files = tracked_files(root)
    for path, text in files.items():
        yield from check_text(path, text)
        if path.endswith(".py"):
            yield from check_python(path, text)
    package = (parse(path, text) for path, text in files.items() if path.startswith("src/") and path.endswith(".py"))
    yield from unused_supervision_points(package, SUPERVISION_POINTS)
    yield from shavings(files)


def main() -> int:
    """Print every finding; return 1 if there is one."""
    findings = list(check_repository(Path(__file__).resolve().parents[1]))
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
