"""Compress the latest state only as far as two versions of a row share a page: the rest cost more than it saved."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows that stand stay as they are; each takes the new form when it is next written."""
    op.get_bind().exec_driver_sql("alter table latest_odds set (toast_tuple_target = 3900)")


def downgrade() -> None:
    """Compress as before; rows are read whichever form they have."""
    op.get_bind().exec_driver_sql("alter table latest_odds reset (toast_tuple_target)")
