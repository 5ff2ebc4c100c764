"""Alembic migrations, run by `overround.db.migrate`."""
