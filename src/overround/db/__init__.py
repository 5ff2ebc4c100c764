"""The database: embedded server, schema, migrations, and what the service reads from it."""
