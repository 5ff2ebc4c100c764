from collections.abc import Mapping

import pytest

from tools.house_rules import (
    MACHINE_FOLDERS,
    REGISTRY_HOSTS,
    check_python,
    check_text,
    parse,
    shavings,
    unused_supervision_points,
)

SOURCE = "src/overround/caching/example.py"
TEST = "tests/unit/test_example.py"


def nested(depth: int) -> str:
    """Return a function with blocks inside one another."""
    lines = ["def f(x):", *(f"{'    ' * level}if x:" for level in range(1, depth + 1))]
    return "\n".join([*lines, f"{'    ' * (depth + 1)}x()"])


def elifs(count: int) -> str:
    """Return a function with one long chain of `elif`."""
    return "\n".join(["def f(x):", "    if x:", "        x()", *["    elif x:\n        x()"] * count])


def lines_of_function(count: int) -> str:
    """Return a function of that many lines."""
    return "\n".join(["def f(x):", *["    x()"] * (count - 1)])


BREACHES: Mapping[str, tuple[str, str, str]] = {
    "file-length": ("file-length", SOURCE, "x = 1\n" * 601),
    "function-length": ("function-length", SOURCE, lines_of_function(51)),
    "nesting": ("nesting", SOURCE, nested(5)),
    "nesting in else": ("nesting", SOURCE, nested(4) + "\n" + "    " * 4 + "else:\n" + "    " * 5 + "for y in x: pass"),
    "clock: now": ("clock", SOURCE, "import datetime\nx = datetime.datetime.now(datetime.UTC)"),
    "clock: utcnow": ("clock", SOURCE, "from datetime import datetime\nx = datetime.utcnow()"),
    "clock: time": ("clock", SOURCE, "import time\nx = time.time()"),
    "clock: as a default factory": ("clock", SOURCE, "import time\nx = make(default=time.perf_counter)"),
    "clock: imported name": ("clock", SOURCE, "from time import monotonic"),
    "sql: select": ("sql", SOURCE, 'x = "SELECT id FROM events"'),
    "sql: formatted": ("sql", SOURCE, 'x = f"delete from {table} where id = 1"'),
    "sql: over lines": ("sql", SOURCE, 'x = """\n  insert into events\n  values (1)"""'),
    "broad-except": ("broad-except", SOURCE, "try:\n    x()\nexcept Exception:\n    pass"),
    "broad-except: bare": ("broad-except", SOURCE, "try:\n    x()\nexcept:\n    pass"),
    "broad-except: among others": ("broad-except", SOURCE, "try:\n    x()\nexcept (OSError, BaseException):\n    pass"),
    "broad-except: suppress": ("broad-except", SOURCE, "with contextlib.suppress(Exception):\n    x()"),
    "float-price: call": ("float-price", SOURCE, "best_price = float(text)"),
    "float-price: literal": ("float-price", SOURCE, "line: Decimal = 2.5"),
    "float-price: argument": ("float-price", SOURCE, "def f(price: float | None) -> None: ..."),
    "float-price: keyword": ("float-price", SOURCE, "f(line=2.5)"),
    "module-state: list": ("module-state", SOURCE, "seen = []"),
    "module-state: constant": ("module-state", SOURCE, "KINDS = {'a': 1}"),
    "module-state: annotated name": ("module-state", SOURCE, "seen: Mapping[str, int] = {}"),
    "module-state: call": ("module-state", SOURCE, "cache = collections.defaultdict(list)"),
    "local-import": ("local-import", SOURCE, "def f():\n    import json"),
    "bookmaker-name: comparison": ("bookmaker-name", SOURCE, "if bookmaker == 'other': pass"),
    "bookmaker-name: attribute": ("bookmaker-name", SOURCE, "x = 'other' != plugin.slug"),
    "bookmaker-name: literal": ("bookmaker-name", SOURCE, "x = {'betpawa': 1}['sportybet']"),
    "test-docstring": ("test-docstring", TEST, "def test_x():\n    assert 1"),
    "test-conduct: sleep": ("test-conduct", TEST, "async def test_x():\n    'Doc.'\n    await asyncio.sleep(0.1)"),
    "test-conduct: imported sleep": ("test-conduct", TEST, "from time import sleep"),
    "test-conduct: skip": ("test-conduct", TEST, "@pytest.mark.skipif(True, reason='x')\ndef test_x():\n    'Doc.'"),
    "test-conduct: xfail": ("test-conduct", TEST, "def test_x():\n    'Doc.'\n    pytest.xfail()"),
}

GOOD: Mapping[str, tuple[str, str]] = {
    "file of the greatest length": (SOURCE, "x = 1\n" * 600),
    "long table of a bookmaker's markets": ("src/overround/bookmakers/toy/markets.py", "x = 1\n" * 900),
    "function of the greatest length": (SOURCE, lines_of_function(50)),
    "deepest nesting": (SOURCE, nested(4)),
    "chain of elif": (SOURCE, elifs(9)),
    "nesting starts anew in an inner function": (
        SOURCE,
        nested(3) + "\n        def g(x):\n            if x:\n                if x: x()",
    ),
    "the clock reads the time": ("src/overround/clock.py", "import time\nx = time.time()"),
    "a clock that was handed over": (SOURCE, "x = self._clock.now()\ny = clock.monotonic()\nz = snapshot.time"),
    "a script reads the time": ("scripts/benchmark.py", "import time\nx = time.perf_counter()"),
    "SQL where it belongs": ("src/overround/db/repository.py", 'x = "SELECT id FROM events"'),
    "prose that starts like SQL": (SOURCE, 'x = "Select a bookmaker"\ny = "with the newest first"\nz = "update: done"'),
    "a docstring about SQL": (SOURCE, '"""Delete from the cache what has started."""'),
    "a supervision point": (
        "src/overround/storage/attempts.py",
        "class Attempts:\n    async def at_last(self):\n        try: x()\n        except Exception: pass",
    ),
    "catching everything to raise it again": (SOURCE, "try:\n    x()\nexcept BaseException:\n    y()\n    raise"),
    "catching one kind of error": (SOURCE, "try:\n    x()\nexcept OSError:\n    pass"),
    "prices in thousandths, lines in text": (SOURCE, "price = 2100\nline = Decimal('2.5')"),
    "words that only contain line": (SOURCE, "deadline = 2.5\ndef f(timeline_s: float) -> None: ..."),
    "read-only constants": (SOURCE, "A = (1,)\nB = frozenset({1})\nC: Mapping[str, int] = {}\n_D: Final = [1]"),
    "what a module exports": (SOURCE, "__all__ = ['a']"),
    "lists inside functions": (SOURCE, "def f():\n    seen = []"),
    "imports in command groups": ("src/overround/cli/serve.py", "def f():\n    import json"),
    "imports for types at the top": (SOURCE, "if TYPE_CHECKING:\n    import json"),
    "a bookmaker in its own folder": ("src/overround/bookmakers/betpawa/client.py", "x = 'betpawa'"),
    "the default reference": ("src/overround/settings.py", "reference: str = 'betpawa'"),
    "bookmakers compared with each other": (SOURCE, "if bookmaker == reference and bookmaker != '': pass"),
    "a bookmaker's name in a test": (TEST, "x = 'betpawa'"),
    "a test that says what it holds": (TEST, "def test_x():\n    'The sum is exact.'"),
    "a test that lets other tasks run": (TEST, "async def test_x():\n    'Doc.'\n    await asyncio.sleep(0)"),
    "a test helper": (TEST, "def make():\n    return 1"),
    "a clock that a test drives": (TEST, "async def test_x(clock):\n    'Doc.'\n    await clock.sleep(5)"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_finds_the_breach(name: str) -> None:
    """A snippet that breaks a rule is reported under that rule, and under no other."""
    rule, path, text = BREACHES[name]
    assert {finding.rule for finding in check_python(path, text)} == {rule}


@pytest.mark.parametrize("name", GOOD)
def test_leaves_good_code_alone(name: str) -> None:
    """A snippet that keeps the rules is not reported."""
    path, text = GOOD[name]
    assert [str(finding) for finding in check_python(path, text)] == []


def test_every_rule_has_a_breach() -> None:
    """Each rule for Python is shown by at least one snippet that breaks it."""
    assert {rule for rule, _, _ in BREACHES.values()} == {
        "file-length",
        "function-length",
        "nesting",
        "clock",
        "sql",
        "broad-except",
        "float-price",
        "module-state",
        "local-import",
        "bookmaker-name",
        "test-docstring",
        "test-conduct",
    }


def test_says_where_and_what() -> None:
    """A finding is one line: path, line, rule, message."""
    (finding,) = check_python(SOURCE, "x = 1\nseen = []\n")
    assert str(finding) == f"{SOURCE}:2 module-state seen is mutable state of the module"


def test_supervision_point_without_need_is_reported() -> None:
    """A listed place that catches nothing (any more) is reported, so that the list stays true."""
    module = parse(SOURCE, "def f():\n    try: x()\n    except Exception: pass\ndef g(): pass")
    findings = unused_supervision_points([module], ["caching/example.py:f", "caching/example.py:g"])
    assert [finding.message for finding in findings] == ["caching/example.py:g is listed, and catches nothing"]


def of_package(**texts: str) -> dict[str, str]:
    """Return files of a made-up package: a name's double underscore separates folders."""
    return {f"src/shop/{name.replace('__', '/')}.py": text for name, text in texts.items()}


def test_small_module_of_one_importer_needs_a_reason() -> None:
    """A module of fewer than 60 lines that one other module imports is reported, at 60 lines no longer."""
    files = of_package(till="from shop.coins import add\n", coins="def add(): ...\n" * 59)
    (finding,) = shavings(files)
    assert (finding.path, finding.rule) == ("src/shop/coins.py", "shaving")
    assert finding.message.startswith("59 lines for shop.till alone")
    assert list(shavings(of_package(till="import shop.coins\n", coins="x = 1\n" * 60))) == []


def test_module_of_several_importers_needs_no_reason() -> None:
    """A small module is a room of its own once two modules import it; nobody's is no shaving either."""
    files = of_package(till="import shop.coins", safe="from shop import coins", coins="x = 1\n")
    assert list(shavings(files)) == []


@pytest.mark.parametrize(
    ("docstring", "good"),
    [
        ("Coins.\n\nApart because a till for cards loads nothing of it.", True),
        ("Apart because it is pure.", True),
        ("Coins, apart because it is so.", False),
        ("Coins.\n\nApart because ", False),
        ("Coins.\n\nApart because\nit is pure.", False),
    ],
)
def test_reason_stands_at_the_start_of_a_line(docstring: str, *, good: bool) -> None:
    """The reason is a line of the module's docstring that begins with `Apart because` and goes on."""
    files = of_package(till="import shop.coins", coins=f'"""{docstring}"""\n')
    assert (list(shavings(files)) == []) is good


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_finds_registry_hosts(host: str) -> None:
    """A package registry's host is found in any file, with its line."""
    (finding,) = check_text("requirements.lock", f"a==1\n--index-url https://{host}/simple\n")
    assert (finding.line, finding.rule) == (2, "registry-host")


@pytest.mark.parametrize("folder", MACHINE_FOLDERS)
def test_finds_machine_paths(folder: str) -> None:
    """An absolute path of the machine it was written on is found in any file."""
    (finding,) = check_text("README.md", f"see /{folder}/a.json\n")
    assert (finding.line, finding.rule) == (1, "machine-path")


def test_leaves_other_addresses_alone() -> None:
    """Other hosts, and folders of the same name further down, are nobody's concern."""
    assert list(check_text("README.md", "https://www.apache.org/licenses/ and /home/me/work/overround\n")) == []
