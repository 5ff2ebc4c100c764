"""What commands share: exit codes, results on stdout, one-line errors on stderr."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum

import typer

from overround.errors import OverroundError


class ExitCode(IntEnum):
    """Documented exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    NOTHING_TO_DO = 4


def print_json(value: object) -> None:
    """Print one JSON object on a line of its own."""
    import msgspec  # noqa: PLC0415 - command groups import lazily

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print names and values for a person."""
    from rich.console import Console  # noqa: PLC0415 - command groups import lazily
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(title=title, title_justify="left", show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Print some columns of rows for a person."""
    from rich.console import Console  # noqa: PLC0415 - command groups import lazily
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(*(name.replace("_", " ") for name in columns), title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    Console().print(table)


def fail(message: str, code: ExitCode = ExitCode.FAILED) -> typer.Exit:
    """Say in one line on stderr what is wrong; raise what this returns."""
    sys.stderr.write(f"overround: {message}\n")
    return typer.Exit(code)


@contextmanager
def errors_as_one_line() -> Iterator[None]:
    """Turn an expected error into one line on stderr and exit code 1 (2 for bad settings)."""
    from pydantic import ValidationError  # noqa: PLC0415 - command groups import lazily

    try:
        yield
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise fail(f"settings: {faults}", ExitCode.USAGE) from error
    except OverroundError as error:
        raise fail(str(error)) from error
