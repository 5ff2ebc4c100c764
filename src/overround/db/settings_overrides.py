"""Settings that were changed while the service ran, as the database keeps them."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from overround.db.engine import reachable_connection

_ALL = "select path, value::text as value from settings_overrides order by path"

_SAVE = """
insert into settings_overrides (path, value, changed_at)
select path, value::jsonb, $3 from unnest($1::text[], $2::text[]) as changed (path, value)
on conflict (path) do update set value = excluded.value, changed_at = excluded.changed_at
"""


class PostgresOverrides:
    """The changes by their paths; every method raises DatabaseUnavailableError where it cannot reach them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def overrides(self) -> Mapping[str, object]:
        """Return what is set over the settings, by path."""
        async with reachable_connection(self._engine) as connection:
            return {row["path"]: json.loads(row["value"]) for row in await connection.fetch(_ALL)}

    async def save(self, changes: Mapping[str, object], at: datetime) -> None:
        """Keep values, in place of earlier ones of the same paths."""
        values = [json.dumps(value) for value in changes.values()]
        async with reachable_connection(self._engine) as connection:
            await connection.execute(_SAVE, list(changes), values, at)
