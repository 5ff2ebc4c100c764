"""Alembic's environment: runs on the connection that `overround.db.migrate` hands over."""

from alembic import context

from overround.db.models import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
