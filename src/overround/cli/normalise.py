"""`overround normalise`: decode and normalise captured single-event responses."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_json

if TYPE_CHECKING:
    from overround.catalogue import Catalogue
    from overround.ports import Normaliser
    from overround.records.event import Offer

STDIN: Final = "-"


def normalise(
    bookmaker: Annotated[str, typer.Argument(help="The bookmaker's slug, for example betpawa.")],
    files: Annotated[list[str], typer.Argument(help="Captured single-event responses; - reads from stdin.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line and file.")] = False,
) -> None:
    """Decode and normalise captured single-event responses, with the mapping file of the settings if there is one.

    Exit codes: 0 all files were normalised, 1 none, 2 no such bookmaker or bad settings, 3 some.
    """
    from overround.cli.offer_view import as_json, print_table  # noqa: PLC0415 - command groups import lazily

    catalogue, normaliser = _tools(bookmaker)
    succeeded = 0
    for file, offer in _offers(bookmaker, normaliser, files):
        succeeded += 1
        if json:
            print_json(as_json(offer, catalogue))
        else:
            print_table(file, offer, catalogue)
    if succeeded < len(files):
        raise typer.Exit(ExitCode.PARTIAL if succeeded else ExitCode.FAILED)


def _tools(slug: str) -> "tuple[Catalogue, Normaliser]":
    from overround.bookmakers.registry import (  # noqa: PLC0415 - command groups import lazily
        load_bookmakers,
        refuse_unknown_bookmakers,
    )
    from overround.catalogue import load_catalogue  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above

    with errors_as_one_line():
        bookmakers = load_bookmakers()
        if slug not in bookmakers:
            raise fail(f"no bookmaker {slug!r}; there are {', '.join(bookmakers)}", ExitCode.USAGE)
        catalogue = load_catalogue(Settings().mapping_file)
        refuse_unknown_bookmakers(catalogue, bookmakers)
        return catalogue, bookmakers[slug].normaliser(catalogue)


def _offers(slug: str, normaliser: "Normaliser", files: list[str]) -> "Iterator[tuple[str, Offer]]":
    """Yield the files' offers, and say of each other file in one line what is wrong with it."""
    from overround.cli.offer_view import offer_before_kickoff  # noqa: PLC0415 - command groups import lazily
    from overround.errors import OverroundError  # noqa: PLC0415 - as above

    for file in files:
        try:
            body = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
            offer = offer_before_kickoff(normaliser, body)
        except OverroundError as error:
            _complain(f"{file}: {error}")
        except OSError as error:
            _complain(f"{file}: {slug}: {error.strerror or error}")
        else:
            yield file, offer


def _complain(text: str) -> None:
    fail(" ".join(text.split()))
