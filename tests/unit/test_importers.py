import pytest

from tools.importers import importers, package_sources, sole_importers


def tree(**texts: str) -> dict[str, str]:
    """Return files of a made-up package: a name's double underscore separates folders, `init` is an `__init__`."""
    paths = (name.replace("__", "/").replace("init", "__init__") for name in texts)
    return dict(zip((f"src/shop/{path}.py" for path in paths), texts.values(), strict=True))


def importers_of(module: str, **texts: str) -> frozenset[str]:
    """Return who imports a module of a made-up tree."""
    return importers(package_sources(tree(**texts)))[module]


@pytest.mark.parametrize(
    "statement",
    [
        "import shop.stock.shelf",
        "import shop.stock.shelf as board",
        "from shop.stock import shelf",
        "from shop.stock.shelf import Board",
        "from .stock import shelf",
        "from .stock.shelf import Board as B",
        "def f():\n    from shop.stock import shelf",
        "if TYPE_CHECKING:\n    import shop.stock.shelf",
    ],
)
def test_finds_every_way_to_import(statement: str) -> None:
    """A module is imported by its name or from its package, absolutely or relatively, at the top or inside."""
    texts = {"stock__init": "", "stock__shelf": "Board = 1", "till": statement}
    assert importers_of("shop.stock.shelf", **texts) == {"shop.till"}


def test_package_init_is_no_importer() -> None:
    """The module that a package's `__init__` takes a name from counts whoever takes it from the package."""
    texts = {"stock__init": "from shop.stock.shelf import Board", "stock__shelf": "Board = 1"}
    assert importers_of("shop.stock.shelf", **texts) == frozenset()
    assert importers_of("shop.stock.shelf", **texts, till="from shop.stock import Board") == {"shop.till"}


def test_relative_import_inside_an_init_is_seen_through() -> None:
    """A package's `__init__` may name its modules relatively, and rename nothing on the way."""
    texts = {"stock__init": "from .shelf import Board", "stock__shelf": "Board = 1", "till": "from .stock import Board"}
    assert importers_of("shop.stock.shelf", **texts) == {"shop.till"}


def test_other_packages_and_oneself_are_no_importers() -> None:
    """Imports of libraries lead nowhere, and a module that imports itself is not its own reader."""
    assert importers_of("shop.till", till="import json\nimport shop.till\nfrom decimal import Decimal") == frozenset()


def test_only_the_package_is_read() -> None:
    """Tests and scripts that import a module do not make it one that two share."""
    files = {
        **tree(till="import shop.coins", coins=""),
        "tests/test_coins.py": "import shop.coins",
        "tools/count.py": "import shop.coins",
    }
    assert sole_importers(package_sources(files)) == {"shop.coins": "shop.till"}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("router", {"app": "from shop import router", "router": "router = APIRouter(prefix='/api')"}),
        ("migrations__m0001", {"app": "import shop.migrations.m0001", "migrations__m0001": ""}),
        ("toy__client", {"app": "import shop.toy.client", "toy__init": "BOOKMAKER = 1", "toy__client": ""}),
        ("cli__pay", {"cli__main": "from shop.cli.pay import pay\napp = typer.Typer()", "cli__pay": "def pay(): ..."}),
        ("child", {"app": "import shop.child", "child": "if __name__ == '__main__':\n    main()"}),
        ("served", {"other": "import shop.served", "served": "app: FastAPI = create_app()"}),
    ],
)
def test_what_stands_apart_by_its_kind_is_left_out(name: str, texts: dict[str, str]) -> None:
    """Routers, migrations, bookmakers' folders, command groups and entry points may have one importer."""
    module = f"shop.{name.replace('__', '.')}"
    sources = package_sources(tree(**texts))
    assert len(importers(sources)[module]) == 1
    assert module not in sole_importers(sources)
