"""One owner of the database, fenced in every writing transaction; the horizon of retention."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "create sequence owner_tokens",
    """
create table owner (
    only_one boolean primary key default true check (only_one),
    token bigint not null,
    holder text not null,
    machine text not null,
    pid bigint not null,
    taken_at timestamptz not null
)
""",
    "insert into owner (token, holder, machine, pid, taken_at) values (0, '', '', 0, '-infinity')",
    """
create table owner_seen (
    token bigint primary key,
    expires_at timestamptz not null
)
""",
    """
create table drained_states (
    event_id bigint not null,
    bookmaker_id smallint not null
)
""",
    """
create table retention_horizons (
    table_name text primary key,
    horizon timestamptz not null
)
""",
)


def upgrade() -> None:
    """Create the tables; nobody owns the database at first."""
    connection = op.get_bind()
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Drop them: the releases before let everybody write."""
    connection = op.get_bind()
    for statement in ("drop table retention_horizons, drained_states, owner_seen, owner", "drop sequence owner_tokens"):
        connection.exec_driver_sql(statement)
