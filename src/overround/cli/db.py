"""`overround db`: the schema of the database."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json, print_rows

app = typer.Typer(help="The database: bring it up to date, see what it holds.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(dir_okay=False, help="The dump.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
AcknowledgeOption = Annotated[bool, typer.Option("--acknowledge", help="End the alarm about all of them.")]


@app.command()
def upgrade(*, json: JsonOption = False) -> None:
    """Bring the database to the schema of this release."""
    with errors_as_one_line():
        before, after = asyncio.run(_upgrade())
    facts = {"before": before or None, "after": after}
    if json:
        print_json(facts)
    else:
        print_facts("Schema", facts)
    if before == after:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


@app.command()
def status(*, json: JsonOption = False) -> None:
    """Show the schema's revision and what is stored; exit 3 if the schema is not of this release."""
    with errors_as_one_line():
        facts = asyncio.run(_status())
    if json:
        print_json(facts)
    else:
        print_facts("Database", facts)
    if facts["revision"] != facts["head"]:
        raise typer.Exit(ExitCode.PARTIAL)


@app.command()
def dump(file: FileArgument, *, json: JsonOption = False) -> None:
    """Write all of the database, as of one instant, to a file for `db restore` or `pg_restore`; a service may run."""
    with errors_as_one_line():
        size = asyncio.run(_dump(file))
    facts = {"file": str(file), "bytes": size}
    if json:
        print_json(facts)
    else:
        print_facts("Dumped", facts)


@app.command()
def restore(file: FileArgument, *, json: JsonOption = False) -> None:
    """Fill the database of the settings, which has to be empty, from a dump; no service may run."""
    with errors_as_one_line():
        before, after = asyncio.run(_restore(file))
    facts = {"file": str(file), "before": before, "after": after}
    if json:
        print_json(facts)
    else:
        print_facts("Restored", facts)


@app.command()
def gaps(*, acknowledge: AcknowledgeOption = False, json: JsonOption = False) -> None:
    """Show what the database once had, and lost for good; exit 4 if there is nothing."""
    with errors_as_one_line():
        found = asyncio.run(_gaps(acknowledge=acknowledge))
    if json:
        print_json({"gaps": found})
    for gap in [] if json else found:
        print_facts("Gap in the history", gap)
    if not found:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


async def _gaps(*, acknowledge: bool) -> list[dict[str, object]]:
    import msgspec  # noqa: PLC0415 - command groups import lazily

    from overround.cli.database_access import database  # noqa: PLC0415 - as above
    from overround.clock import SystemClock  # noqa: PLC0415 - as above
    from overround.db.history_gaps import HistoryGapRepository  # noqa: PLC0415 - as above

    async with database("overround db gaps") as engine:
        repository = HistoryGapRepository(engine)
        if acknowledge:
            await repository.acknowledge(SystemClock().now())
        return [msgspec.to_builtins(gap) for gap in await repository.gaps()]


@app.command()
def retain(
    *,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day, in UTC, whose rows stay.", metavar="DATE")
    ],
    json: JsonOption = False,
) -> None:
    """Drop history that ended before a day, after printing what that is; a service may run."""
    with errors_as_one_line():
        found = asyncio.run(_retain(until.replace(tzinfo=UTC), json=json))
    if not found:
        raise typer.Exit(ExitCode.NOTHING_TO_DO)


async def _retain(until: datetime, *, json: bool) -> bool:
    import msgspec  # noqa: PLC0415 - command groups import lazily

    from overround.cli.database_access import database  # noqa: PLC0415 - as above
    from overround.clock import SystemClock  # noqa: PLC0415 - as above
    from overround.db.engine import reachable_connection  # noqa: PLC0415 - as above
    from overround.db.ownership import beside_owner  # noqa: PLC0415 - as above
    from overround.db.retention import droppable, retain  # noqa: PLC0415 - as above

    if until > SystemClock().now():
        raise fail("--until is a day to come", ExitCode.USAGE)
    async with database("overround db retain") as engine, reachable_connection(engine) as connection:
        listed = await droppable(connection, until)
        rows: list[dict[str, object]] = msgspec.to_builtins(listed)
        if json:
            print_json({"until": f"{until:%Y-%m-%d}", "dropped": rows})
        else:
            print_rows(f"Dropped: what ended before {until:%Y-%m-%d}", ("name", "table", "rows"), rows)
        await retain(connection, until, listed, beside_owner)
        return bool(listed)


async def _dump(file: Path) -> int:
    from overround.db.dumping import dump  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import database_address  # noqa: PLC0415 - as above

    async with database_address(Settings(), shared=True) as url:
        return await dump(url, file)


async def _restore(file: Path) -> tuple[str, str]:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.db.dumping import restore  # noqa: PLC0415 - as above
    from overround.db.migrate import head  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import database_address  # noqa: PLC0415 - as above

    settings = Settings()
    if ask_service(settings.data_dir, "/health/live") is not None:
        raise fail("a service is running with this data directory: stop it first")
    async with database_address(settings) as url:
        return await restore(url, file), head()


async def _upgrade() -> tuple[str, str]:
    from overround.clock import SystemClock  # noqa: PLC0415 - command groups import lazily
    from overround.db.migrate import head  # noqa: PLC0415 - as above
    from overround.db.preparation import upgrade_alone  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import database_address  # noqa: PLC0415 - as above

    settings = Settings()
    async with database_address(settings, shared=True) as url:
        return await upgrade_alone(url, settings.data_dir, SystemClock()), head()


async def _status() -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - command groups import lazily

    from overround.cli.database_access import database  # noqa: PLC0415 - as above
    from overround.db.inventory import inventory  # noqa: PLC0415 - as above

    async with database("overround db status") as engine:
        facts: dict[str, object] = msgspec.to_builtins(await inventory(engine))
        return facts
