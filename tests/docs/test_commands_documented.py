"""docs/command-line.md and the commands are one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from overround.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "command-line.md"


def sections() -> dict[str, str]:
    """Return the page's sections on commands, by command."""
    parts = re.split(r"^## `(overround [^`]+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(group: TyperGroup, path: str) -> Iterator[tuple[str, TyperCommand]]:
    """Yield every command that does something, with its full name."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            assert isinstance(command, TyperCommand)
            yield f"{path} {name}", command


def all_commands() -> dict[str, TyperCommand]:
    """Return every command of the command line by its full name."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return dict(commands(root, "overround"))


COMMANDS = all_commands()


def options(command: TyperCommand) -> set[str]:
    """Return the long options of a command, the ones that switch off included."""
    return {
        name
        for parameter in command.params
        if isinstance(parameter, TyperOption) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name != "--help"
    }


def test_every_command_has_its_section() -> None:
    """The page has one section for each command, and none for a command that does not exist."""
    assert sections().keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    """A command's section has a row for each of its options, and for no other."""
    rows = re.findall(r"^\| `([^`]+)` \|", sections()[name], re.MULTILINE)
    documented = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    assert documented == options(COMMANDS[name])


def test_readme_names_every_command() -> None:
    """A reader of README.md learns of every command."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if name not in readme] == []
