"""`overround db`: the schema of the database."""

import asyncio
from typing import Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, print_facts, print_json

app = typer.Typer(help="The database: bring it up to date, see what it holds.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


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


async def _upgrade() -> tuple[str, str]:
    from overround.db.migrate import head, upgrade  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import database_address  # noqa: PLC0415 - as above

    async with database_address(Settings(), shared=True) as url:
        return await upgrade(url), head()


async def _status() -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - command groups import lazily

    from overround.cli.database_access import database  # noqa: PLC0415 - as above
    from overround.db.inventory import inventory  # noqa: PLC0415 - as above

    async with database("overround db status") as engine:
        facts: dict[str, object] = msgspec.to_builtins(await inventory(engine))
        return facts
