"""`overround serve`: the service on the settings' bookmakers and database."""

from pathlib import Path
from typing import Annotated

import typer

from overround.cli.output import errors_as_one_line
from overround.gc_pauses import resting


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default from the settings.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; default from the settings.")] = None,
    ack_log: Annotated[
        Path | None, typer.Option(help="Append a line for each batch that the journal has; for crash tests.")
    ] = None,
    standby: Annotated[
        bool, typer.Option("--standby", help="Wait for as long as another service owns the database.")
    ] = False,
) -> None:
    """Run the service: API and page, embedded database unless the settings name another."""
    from overround.settings import Settings  # noqa: PLC0415 - command groups import lazily
    from overround.storage.journal.disk import refuse_unreadable  # noqa: PLC0415 - as above

    with errors_as_one_line():
        given = Settings()
        refuse_unreadable(given.journal_dir)  # before the imports that take a second or two
        with resting():
            from overround.cli.web_server import run_until_stopped, serve_settings  # noqa: PLC0415 - heavy
        settings = given.with_values(
            host=given.host if host is None else host,
            port=given.port if port is None else port,
            queue=given.queue.model_copy(update={"ack_log": ack_log or given.queue.ack_log}),
        )
        run_until_stopped(lambda stopping: serve_settings(settings, stopping, standby=standby))
