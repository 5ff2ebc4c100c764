"""`overround queue`: the write queue of the running service."""

from typing import Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json

app = typer.Typer(help="The write queue of the running service.", no_args_is_help=True)


@app.callback()
def queue() -> None:
    """Keep `queue status` a command of its own while it is the only one."""


@app.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Show depth and counters of the running service's write queue; exit 4 if no service runs."""
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    with errors_as_one_line():
        answer = ask_service(Settings().data_dir, "/api/queue")
    if answer is None:
        raise fail("no service is running with this data directory", ExitCode.NOTHING_TO_DO)
    if json:
        print_json(answer)
    else:
        print_facts("Write queue", answer)
