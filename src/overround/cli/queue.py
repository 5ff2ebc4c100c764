"""`overround queue`: the write queue, and what it could not write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json

app = typer.Typer(help="The write queue, and what could not be written.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters.")]
BookmakerOption = Annotated[
    str | None, typer.Option("--bookmaker", metavar="SLUG", help="The rows of this bookmaker that are held back.")
]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Dead letters by id.")]

_NO_SERVICE = "no service is running with this data directory"


@app.command()
def status(*, json: JsonOption = False) -> None:
    """Show how the running service's write queue fares; without a service, what the database knows."""
    from overround.cli.queue_access import offline_status, read  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        answer = read("/api/queue", offline_status)
    _show("Write queue", answer, json=json)


@app.command(name="dead-letters")
def dead_letters(
    *,
    after: Annotated[int, typer.Option(min=0, help="Start after this id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 100,
    json: JsonOption = False,
) -> None:
    """List what the database could not take."""
    from overround.cli.output import print_rows  # noqa: PLC0415 - command groups import lazily
    from overround.cli.queue_access import offline_page, read  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        path = f"/api/queue/dead-letters?after={after}&limit={limit}"
        answer = read(path, lambda repository: offline_page(repository, after, limit))
    if json or answer is None:
        _show("", answer, json=json)
        return
    columns = ("id", "kind", "event_id", "bookmaker", "sqlstate", "reason", "dead_at")
    print_rows(f"Dead letters: {answer['total']}", columns, answer["letters"])


@app.command()
def show(letter_id: Annotated[int, typer.Argument(metavar="ID", min=1)], *, json: JsonOption = False) -> None:
    """Show one dead letter with its content."""
    from overround.cli.queue_access import offline_letter, read  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        path = f"/api/queue/dead-letters/{letter_id}"
        answer = read(path, lambda repository: offline_letter(repository, letter_id))
    _show(f"Dead letter {letter_id}", answer, json=json)


@app.command()
def held(*, json: JsonOption = False) -> None:
    """List the bookmakers whose rows are held back, since too many of them fail for their content."""
    from overround.cli.output import print_rows  # noqa: PLC0415 - command groups import lazily
    from overround.cli.queue_access import offline_held, read  # noqa: PLC0415 - as above

    with errors_as_one_line():
        answer = read("/api/queue/held", offline_held)
    if json or answer is None:
        _show("", answer, json=json)
        return
    columns = ("bookmaker", "since", "rows", "bytes", "snapshots", "sqlstate", "sample")
    print_rows(f"Held back: {len(answer['bookmakers'])}", columns, answer["bookmakers"])


@app.command()
def retry(
    ids: Ids = None, *, all_: AllOption = False, bookmaker: BookmakerOption = None, json: JsonOption = False
) -> None:
    """Have the running service write dead letters again, or the held rows of a bookmaker; exit 3 if some fail."""
    if bookmaker is not None:
        _act_on_held("retry", bookmaker, json=json, alone=not (ids or all_))
        return
    _act("retry", ids, all_=all_, json=json)


@app.command()
def drop(
    ids: Ids = None, *, all_: AllOption = False, bookmaker: BookmakerOption = None, json: JsonOption = False
) -> None:
    """Have the running service delete dead letters, or the held rows of a bookmaker; exit 3 if some were not there."""
    if bookmaker is not None:
        _act_on_held("drop", bookmaker, json=json, alone=not (ids or all_))
        return
    _act("drop", ids, all_=all_, json=json)


def _act_on_held(verb: str, bookmaker: str, *, json: bool, alone: bool) -> None:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    if not alone:
        raise fail("--bookmaker goes with neither ids nor --all", ExitCode.USAGE)
    with errors_as_one_line():
        path, body = f"/api/queue/held/{verb}", {"bookmaker": bookmaker}
        answer = ask_service(Settings().data_dir, path, method="POST", body=body)
    _show(f"Held rows of {bookmaker}: {verb}", answer, json=json)
    if answer is not None and not answer.get("passed", True):
        raise typer.Exit(ExitCode.PARTIAL)


@app.command(name="clear-damaged")
def clear_damaged(*, json: JsonOption = False) -> None:
    """Delete the damaged files that the journal has put away; exit 4 if there are none."""
    from overround.settings import Settings  # noqa: PLC0415 - command groups import lazily
    from overround.storage.journal.damaged_files import clear  # noqa: PLC0415 - as above

    with errors_as_one_line():
        folder = Settings().journal_dir
        try:
            cleared = clear(folder)
        except OSError as error:
            raise fail(f"cannot delete {error.filename}: {error.strerror}") from error
    if not cleared:
        raise fail(f"there are no damaged files in {folder}", ExitCode.NOTHING_TO_DO)
    _show("Damaged files deleted", {"files": [path.name for path in cleared]}, json=json)


@app.command()
def drain(
    *,
    data_dir: Annotated[
        Path, typer.Option(file_okay=False, exists=True, help="The data directory of a service that has ended.")
    ],
    json: JsonOption = False,
) -> None:
    """Write what an ended service journalled to the database of the settings; exit 4 if it has all of that."""
    import asyncio  # noqa: PLC0415 - command groups import lazily

    from overround.logs import configure_logs  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import drain_journal  # noqa: PLC0415 - as above

    configure_logs("warning")
    with errors_as_one_line():
        if not (data_dir / "journal").is_dir():
            raise fail(f"there is no journal in {data_dir}")
        written = asyncio.run(drain_journal(Settings(), data_dir))
    _show("Journal drained", {"data_dir": str(data_dir), "batches": written}, json=json)
    if not written:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


def _act(verb: str, ids: list[int] | None, *, all_: bool, json: bool) -> None:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    if bool(ids) is all_:
        raise fail("give the ids of dead letters, or --all, or --bookmaker for held rows", ExitCode.USAGE)
    body = {"all": True} if all_ else {"ids": ids}
    with errors_as_one_line():
        path = f"/api/queue/dead-letters/{verb}"
        answer = ask_service(Settings().data_dir, path, method="POST", body=body)
    _show(f"Dead letters: {verb}", answer, json=json)
    done = answer and (answer.get("retried") or answer.get("dropped"))
    if not done:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)
    if answer and (answer.get("unknown") or answer.get("refused")):
        raise typer.Exit(ExitCode.PARTIAL)


def _show(title: str, answer: Mapping[str, Any] | None, *, json: bool) -> None:
    if answer is None:
        raise fail(_NO_SERVICE, ExitCode.NOTHING_TO_DO)
    if json:
        print_json(answer)
    else:
        print_facts(title, answer)
