"""`overround scrape --once`: one cycle, with a progress bar per bookmaker."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_facts, print_json

if TYPE_CHECKING:
    from overround.settings import Settings

_POLL = 0.5  # seconds


def scrape(
    *,
    once: Annotated[bool, typer.Option("--once", help="Run one full cycle, drain the queue and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The finished run as one JSON object on stdout.")] = False,
) -> None:
    """Scrape all bookmakers of the settings once; exit 3 if something failed, 1 if everything did.

    A service that runs with this data directory is asked for a cycle of its own.
    """
    import asyncio  # noqa: PLC0415 - command groups import lazily

    if not once:
        raise fail("scrape needs --once; `overround serve` scrapes on a schedule", ExitCode.USAGE)
    with errors_as_one_line():
        facts = asyncio.run(_scrape_once(show=not json))
    if json:
        print_json(facts)
    else:
        print_facts(f"Run {facts['run_id']}", facts)
    codes = {"completed": ExitCode.OK, "partial": ExitCode.PARTIAL}
    raise typer.Exit(codes.get(facts["status"], ExitCode.FAILED))


async def _scrape_once(*, show: bool) -> Mapping[str, Any]:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    settings = Settings()
    started = ask_service(settings.data_dir, "/api/scrape/start", method="POST")
    return await _own_run(settings, show=show) if started is None else await _run_of(settings, started["run_id"])


async def _run_of(settings: "Settings", run_id: int) -> Mapping[str, Any]:
    """Return a run of the running service once it has ended."""
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.clock import SystemClock  # noqa: PLC0415 - as above

    while True:
        page = ask_service(settings.data_dir, f"/api/scrape/runs?limit=1&before={run_id + 1}")
        run: Mapping[str, Any] | None = next(iter(page["runs"]), None) if page is not None else None
        if run is None or run["run_id"] != run_id:
            raise fail(f"the service has ended while run {run_id} was under way")
        if run["status"] != "running":
            return run
        await SystemClock().sleep(_POLL)


async def _own_run(given: "Settings", *, show: bool) -> Mapping[str, Any]:
    from overround.api.scrape.views import RunView, run_facts  # noqa: PLC0415 - command groups import lazily
    from overround.cli.progress_bars import progress_bars  # noqa: PLC0415 - as above
    from overround.logs import configure_logs  # noqa: PLC0415 - as above
    from overround.wiring import running_database, running_service  # noqa: PLC0415 - as above

    settings = given.with_values(schedule=given.schedule.model_copy(update={"enabled": False}))
    configure_logs("warning" if show else settings.log_level)
    async with running_database(settings) as database, running_service(settings, database) as service:
        if show:
            names = {slug: one.name for slug, one in service.bookmakers.items()}
            with progress_bars(names) as listener, service.context.progress.listening(listener):
                run = await service.control.run_cycle()
        else:
            run = await service.control.run_cycle()
        view = RunView(**run_facts(run, service.control.detail(run.run_id)))
        facts: Mapping[str, Any] = view.model_dump(mode="json")
        return facts
