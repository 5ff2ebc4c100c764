"""What `overround serve` runs."""

from contextlib import AsyncExitStack, nullcontext

from overround.api.app import create_app, service_of
from overround.api.standby import StandbyApp
from overround.cli.web_server import Stopping, address_of, ended_by, listening, serve_app, standing_by
from overround.errors import SettingsError
from overround.settings import Settings


async def serve_settings(settings: Settings, stopping: Stopping, *, standby: bool = False) -> None:
    """Serve what the settings describe until a signal; the port is taken before anything else is done.

    `standby`: wait first for as long as another service owns the database; the port answers meanwhile.

    Raises:
        OverroundError: the port is taken, another service owns the database, or the service cannot start.
        OwnershipLostError: another service has taken the database over.
        SettingsError: a standby without a database that others can reach.
    """
    if standby and settings.database_url is None:
        raise SettingsError("a standby needs OVERROUND_DATABASE_URL: the embedded database ends with its service")
    with listening(settings.host, settings.port) as listener:
        async with AsyncExitStack() as waiting, AsyncExitStack() as stack:
            if standby:
                print(f"Overround stands by at {address_of(listener)}", flush=True)  # noqa: T201 - the command's result
                await waiting.enter_async_context(standing_by(StandbyApp(), listener))
            service = await stack.enter_async_context(service_of(settings, standby=standby))
            ownership = service.database.ownership
            await waiting.aclose()
            async with ended_by(ownership.lost, stopping):
                await serve_app(create_app(lambda: nullcontext(service)), stopping, listener, settings.data_dir)
            ownership.raise_if_lost()
