"""What `overround serve` runs."""

from contextlib import nullcontext

from overround.api.app import create_app, service_of
from overround.cli.web_server import Stopping, serve_app
from overround.settings import Settings


async def serve_settings(settings: Settings, stopping: Stopping) -> None:
    """Serve what the settings describe until a signal.

    Raises:
        OverroundError: the port is taken, or the service cannot start.
    """
    async with service_of(settings) as service:
        app = create_app(lambda: nullcontext(service))
        await serve_app(app, stopping, host=settings.host, port=settings.port, data_dir=settings.data_dir)
