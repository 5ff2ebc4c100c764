"""Keep the rows of a bookmaker whose content fails too often, until they can be written."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_HELD_ROWS = """
create table held_rows (
    id bigint generated always as identity primary key,
    bookmaker text not null,
    epoch bigint not null,
    seq bigint not null,
    scrape_run_id bigint,
    batch_index integer,
    snapshots integer not null,
    confirmed integer not null,
    sqlstate text not null,
    reason text not null,
    held_at timestamptz not null,
    payload bytea not null
);

create index held_rows_bookmaker_idx on held_rows (bookmaker, epoch, seq);

alter table write_batches
    add column held_snapshots integer not null default 0,
    add column held_confirmed integer not null default 0;

alter table write_batches
    alter column held_snapshots drop default,
    alter column held_confirmed drop default;
"""


def upgrade() -> None:
    """Make the table, and let each batch's record say how much of it is held back."""
    for statement in filter(None, map(str.strip, _HELD_ROWS.split(";"))):
        op.execute(statement)


def downgrade() -> None:
    """Drop both; rows that are held back are lost."""
    op.execute("drop table held_rows")
    op.execute("alter table write_batches drop column held_snapshots, drop column held_confirmed")
