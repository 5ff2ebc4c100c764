"""Alembic, which runs the migrations: loaded only where there are some to run.

Apart because Alembic is loaded only where there are migrations to run.
"""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def run_migrations(connection: Connection) -> None:
    """Bring a connection's database to the newest revision, in the transaction that is open."""
    configuration = configured()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def configured() -> Config:
    """Return what Alembic needs to know of our migrations."""
    configuration = Config()
    configuration.set_main_option("script_location", str(files("overround.db") / "migrations").replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration
