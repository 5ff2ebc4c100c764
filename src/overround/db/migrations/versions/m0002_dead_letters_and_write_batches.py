"""What the database could not take, and a record of what was written when."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DEAD_LETTERS = """
create table dead_letters (
    id bigint generated always as identity primary key,
    kind text not null,
    epoch bigint not null,
    seq bigint not null,
    scrape_run_id bigint,
    batch_index integer,
    event_id bigint,
    bookmaker text not null,
    sqlstate text not null,
    reason text not null,
    dead_at timestamptz not null,
    payload_format text not null,
    payload bytea not null
);
"""

_WRITE_BATCHES = """
create table write_batches (
    epoch bigint not null,
    seq bigint not null,
    scrape_run_id bigint,
    batch_index integer,
    snapshots integer not null,
    confirmed integer not null,
    dead_snapshots integer not null,
    dead_confirmed integer not null,
    body_hash bytea not null,
    applied_at timestamptz not null
);
create index write_batches_epoch_idx on write_batches (epoch, seq);
create index write_batches_applied_at_idx on write_batches using brin (applied_at);
"""


def upgrade() -> None:
    """Create the two tables."""
    connection = op.get_bind()
    for script in (_DEAD_LETTERS, _WRITE_BATCHES):
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)


def downgrade() -> None:
    """Refuse: what could not be written would be lost."""
    raise NotImplementedError("dead letters would be lost; restore a backup instead")
