"""`overround markets`: the catalogue, what of the bookmakers' offers it maps, and mappings of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json

if TYPE_CHECKING:
    from overround.catalogue import Catalogue

app = typer.Typer(
    help="The catalogue of markets, and how much of the bookmakers' offers it maps.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CapturesOption = Annotated[
    list[Path] | None, typer.Option("--captures", help="Captured responses, or directories of them; repeatable.")
]


@app.command("list")
def list_(
    *,
    sport: Annotated[str, typer.Option("--sport", help="Only markets of this sport.")] = "",
    group: Annotated[str, typer.Option("--group", help="Only markets of this group.")] = "",
    json: JsonOption = False,
) -> None:
    """List the markets of the catalogue."""
    from overround.catalogue import load_catalogue  # noqa: PLC0415 - command groups import lazily
    from overround.cli.market_views import print_definitions  # noqa: PLC0415 - as above
    from overround.pricing.reports import definition  # noqa: PLC0415 - as above

    with errors_as_one_line():
        catalogue = load_catalogue(_mapping_file())
    found = [market for market in catalogue if sport in ("", market.sport) and group in ("", market.group)]
    found.sort(key=lambda market: market.number)
    if json:
        covered = _covered(catalogue)
        print_json({"markets": [definition(market, covered) for market in found]})
    else:
        print_definitions(found)


@app.command()
def show(key: Annotated[str, typer.Argument(help="The market's key.")], *, json: JsonOption = False) -> None:
    """Show one market: what it means, its outcomes in order, and who offers it."""
    from overround.catalogue import load_catalogue  # noqa: PLC0415 - command groups import lazily
    from overround.pricing.reports import definition  # noqa: PLC0415 - as above

    with errors_as_one_line():
        catalogue = load_catalogue(_mapping_file())
        market = catalogue.find(key)
        if market is None:
            raise fail(f"the catalogue has no market {key!r}", ExitCode.USAGE)
        shown = definition(market, _covered(catalogue))
    if json:
        print_json(shown)
    else:
        print_facts(market.name, {name: _words(value) for name, value in shown.items()})


@app.command()
def coverage(*, captures: CapturesOption = None, json: JsonOption = False) -> None:
    """Show how much is mapped, by bookmaker and event, what is not, and what was dropped and why.

    Of captures, or else of what the running service has scraped since its start; exit 4 if none runs.
    """
    from overround.cli.market_views import print_coverage  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        report = _captured_coverage(captures) if captures else _service_coverage()
    if json:
        print_json(report)
    else:
        print_coverage(report)


@app.command("try")
def try_(
    file: Annotated[Path, typer.Argument(help="A mapping file of your own.")],
    *,
    captures: Annotated[
        list[Path], typer.Option("--captures", help="Captured responses, or directories of them; repeatable.")
    ],
    json: JsonOption = False,
) -> None:
    """Show exactly which prices a mapping file of your own would add, change or remove; exit 4 if none."""
    from overround.cli.captures import capture_files, reader  # noqa: PLC0415 - command groups import lazily
    from overround.cli.market_views import price_changes, print_changes  # noqa: PLC0415 - as above

    with errors_as_one_line():
        before, after = reader(), reader(file)
        paths = list(capture_files(captures))
        changes = [change for path in paths for change in price_changes(path, before, after)]
    if json:
        print_json({"files": len(paths), "changes": changes})
    else:
        print_changes(changes)
    if not changes:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


def _captured_coverage(paths: list[Path]) -> dict[str, Any]:
    from overround.cli.captures import capture_files, reader  # noqa: PLC0415 - command groups import lazily
    from overround.pricing.coverage import event_coverage  # noqa: PLC0415 - as above
    from overround.pricing.reports import coverage_report  # noqa: PLC0415 - as above

    read = reader(_mapping_file())
    found = [read.read(path) for path in capture_files(paths)]
    events = [event_coverage(one.offer, str(one.path)) for one in found if one.offer is not None]
    skipped = [{"file": str(one.path), "reason": one.reason} for one in found if one.offer is None]
    if not events:
        raise fail("none of the files is a captured single-event response")
    return {**coverage_report(events), "skipped": skipped}


def _service_coverage() -> dict[str, Any]:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    answer = ask_service(Settings().data_dir, "/api/markets/coverage?worst=1000")
    if answer is None:
        raise fail("no service is running with this data directory; name captures", ExitCode.NOTHING_TO_DO)
    return {**answer, "skipped": []}


def _covered(catalogue: "Catalogue") -> dict[str, frozenset[str]]:
    from overround.bookmakers.registry import load_bookmakers  # noqa: PLC0415 - as above

    return {slug: one.normaliser(catalogue).covered for slug, one in load_bookmakers().items()}


def _mapping_file() -> Path | None:
    from overround.settings import Settings  # noqa: PLC0415 - command groups import lazily

    return Settings().mapping_file


def _words(value: object) -> object:
    return ", ".join(map(str, value)) or "-" if isinstance(value, list) else value
