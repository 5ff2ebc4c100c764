"""`overround scrape --once`: one cycle, with a progress bar per bookmaker."""

from typing import TYPE_CHECKING, Annotated

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json

if TYPE_CHECKING:
    from overround.batch import ScrapeRun


def scrape(
    *,
    once: Annotated[bool, typer.Option("--once", help="Run one full cycle, drain the queue and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The finished run as one JSON object on stdout.")] = False,
) -> None:
    """Scrape all bookmakers of the settings once; exit 3 if something failed, 1 if everything did."""
    import asyncio  # noqa: PLC0415 - command groups import lazily

    import msgspec  # noqa: PLC0415 - as above

    if not once:
        raise fail("scrape needs --once; `overround serve` scrapes on a schedule", ExitCode.USAGE)
    with errors_as_one_line():
        run = asyncio.run(_scrape_once(show=not json))
    facts = msgspec.to_builtins(run)
    if json:
        print_json(facts)
    else:
        print_facts(f"Run {run.run_id}", facts)
    codes = {"completed": ExitCode.OK, "partial": ExitCode.PARTIAL}
    raise typer.Exit(codes.get(run.status, ExitCode.FAILED))


async def _scrape_once(*, show: bool) -> "ScrapeRun":
    from overround.cli.progress_bars import progress_bars  # noqa: PLC0415 - command groups import lazily
    from overround.logs import configure_logs  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above
    from overround.wiring import running_database, running_service  # noqa: PLC0415 - as above

    given = Settings()
    settings = given.with_values(schedule=given.schedule.model_copy(update={"enabled": False}))
    configure_logs("warning" if show else settings.log_level)
    async with running_database(settings) as database, running_service(settings, database) as service:
        if not show:
            return await service.control.run_cycle()
        names = {slug: one.name for slug, one in service.bookmakers.items()}
        with progress_bars(names) as listener, service.context.progress.listening(listener):
            return await service.control.run_cycle()
