"""Who imports whom, read from the source without running it.

A package's `__init__` is no importer: whoever imports a name from a package imports the module that the `__init__`
takes it from.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

PACKAGE_ROOT = "src/"

_PLUGIN = re.compile(r"^BOOKMAKER\b", re.MULTILINE)
_ROUTER = re.compile(r"\bAPIRouter\(")
_COMMANDS = re.compile(r"\bTyper\(")
_ENTRY_POINT = re.compile(r"^if __name__ == .__main__.:|^app(: [^=]+)? = ", re.MULTILINE)


class Source(NamedTuple):
    """A module below src/: `path` is relative to the repository, `name` dotted; a package's is its `__init__`."""

    path: str
    name: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Tell whether this is the `__init__` of a package."""
        return self.path.endswith("/__init__.py")

    @property
    def lines(self) -> int:
        """Return the number of lines."""
        return self.text.count("\n")


def package_sources(files: Mapping[str, str]) -> dict[str, Source]:
    """Return the modules among these files (text by path) that stand below src/, by their dotted names."""
    paths = sorted(path for path in files if path.startswith(PACKAGE_ROOT) and path.endswith(".py"))
    sources = (Source(path, _module_name(path), files[path], ast.parse(files[path])) for path in paths)
    return {source.name: source for source in sources}


def _module_name(path: str) -> str:
    parts = PurePosixPath(path.removeprefix(PACKAGE_ROOT)).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def importers(sources: Mapping[str, Source]) -> dict[str, frozenset[str]]:
    """Return for each module that is no `__init__` the modules that import it, wherever in them that stands."""
    found: dict[str, set[str]] = {name: set() for name, source in sources.items() if not source.is_package}
    for importer in found:
        for name in imports(sources[importer], sources):
            if name in found and name != importer:
                found[name].add(importer)
    return {name: frozenset(those) for name, those in found.items()}


def imports(source: Source, sources: Mapping[str, Source]) -> Iterator[str]:
    """Yield the names of the modules among `sources` that this one imports, seen through packages' `__init__`."""
    for module, name in _imported(source):
        yield from _target(module, name, sources)


def _imported(source: Source) -> Iterator[tuple[str, str]]:
    """Yield (module, name), where `name` is empty for a module imported as such."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(source, node)
            yield from ((module, alias.name) for alias in node.names)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.name.split(".")
    ups = node.level - source.is_package
    base = parts[: len(parts) - ups]
    return ".".join([*base, node.module] if node.module else base)


def _target(module: str, name: str, sources: Mapping[str, Source]) -> Iterator[str]:
    if name and f"{module}.{name}" in sources:
        yield f"{module}.{name}"
    elif module in sources:
        package = sources[module]
        origins = [origin for origin, taken in _imported(package) if taken == name] if package.is_package else []
        for origin in origins:
            yield from _target(origin, name, sources)
        if not origins:
            yield module


def stands_apart(source: Source, sources: Mapping[str, Source]) -> bool:
    """Tell whether a module is a file of its own whatever its size and its importers.

    That is a router, a command group, a migration, a file of a bookmaker's folder, an entry point, or an `__init__`.
    """
    parts = source.name.split(".")
    return (
        source.is_package
        or "migrations" in parts
        or in_bookmaker_folder(source, sources)
        or bool(_ROUTER.search(source.text) or _ENTRY_POINT.search(source.text))
        or _is_command_group(source, sources)
    )


def in_bookmaker_folder(source: Source, sources: Mapping[str, Source]) -> bool:
    """Tell whether a module stands in the folder of a bookmaker: its `__init__` has a constant `BOOKMAKER`."""
    package = source if source.is_package else sources.get(source.name.rpartition(".")[0])
    return package is not None and bool(_PLUGIN.search(package.text))


def _is_command_group(source: Source, sources: Mapping[str, Source]) -> bool:
    package = source.name.rpartition(".")[0]
    main = sources.get(f"{package}.main")
    return main is not None and bool(_COMMANDS.search(main.text)) and source.name in set(imports(main, sources))


def sole_importers(sources: Mapping[str, Source]) -> dict[str, str]:
    """Return the modules that have exactly one importer, with that importer; those that stand apart are left out."""
    return {
        name: next(iter(those))
        for name, those in sorted(importers(sources).items())
        if len(those) == 1 and not stands_apart(sources[name], sources)
    }
