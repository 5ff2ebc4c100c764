"""`overround demo`: bookmakers on this machine, database, service and page in one command."""

from pathlib import Path
from typing import Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_json


def demo(  # noqa: PLR0913 - one for each option of the command
    *,
    captures: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Serve these recorded responses (BOOKMAKER_*.json)."),
    ] = None,
    events: Annotated[int, typer.Option(min=1, max=20_000, help="Without captures: how many events.")] = 200,
    seed: Annotated[int, typer.Option(help="Without captures: the same seed gives the same market.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8000,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep database and journal here; default: a temporary directory.")
    ] = None,
    cycles: Annotated[int, typer.Option(min=1, help="With --exit: how many cycles to run.")] = 1,
    ack_log: Annotated[
        Path | None, typer.Option(help="Append a line for each batch that the journal has; for crash tests.")
    ] = None,
    exit_: Annotated[bool, typer.Option("--exit", help="Run the cycles back to back, report and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --exit: report as one JSON object on stdout.")] = False,
) -> None:
    """Run everything on this machine: simulated bookmakers (or recorded responses), database, API and page."""
    import msgspec  # noqa: PLC0415 - command groups import lazily

    from overround.cli.demonstration import print_report, report_on, serve  # noqa: PLC0415 - lazy
    from overround.cli.market import MarketRequest  # noqa: PLC0415 - as above
    from overround.cli.web_server import run_until_stopped  # noqa: PLC0415 - as above
    from overround.cli.workplace import workplace  # noqa: PLC0415 - as above
    from overround.logs import configure_logs  # noqa: PLC0415 - as above

    if json and not exit_:
        raise fail("--json goes with --exit", ExitCode.USAGE)
    request = MarketRequest(captures=captures, events=events, seed=seed)
    configure_logs("warning" if exit_ else "info")
    with errors_as_one_line(), workplace(data_dir) as given:
        place = msgspec.structs.replace(given, ack_log=ack_log)
        if not exit_:
            run_until_stopped(lambda stopping: serve(place, request, port, stopping))
            return
        report = report_on(place, request, cycles)
    if report is None:
        raise fail("interrupted")
    if json:
        print_json(report)
    else:
        print_report(report)
    raise typer.Exit(ExitCode.OK if report.sound else ExitCode.FAILED)
